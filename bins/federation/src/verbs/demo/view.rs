//! The demo's live view on a terminal. Designed for 80 columns, 24 lines and any number of operators:
//! what does not fit is counted, or cut off with `…`.

use std::time::{Duration, Instant};

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style, Stylize},
    text::{Line, Span},
    widgets::{Block, Cell, Paragraph, Row, Table, Wrap},
};

use super::state::{BlockRow, DemoState, OperatorRow};

const KEYS: &str = " up/down select   space stop/restart   k kill   c cut a link   h heal   q quit";

/// The minimum number of lines for the blocks and the news, including borders and header.
const LEAST_BLOCKS: u16 = 4;
const LEAST_NEWS: u16 = 3;
/// The preferred number of lines.
const FAIR_BLOCKS: u16 = 6;
const FAIR_NEWS: u16 = 7;

/// Draws the view.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &DemoState, chosen: usize) {
    draw_at(frame, state, chosen, Instant::now());
}

/// Draws the view as of a given time.
fn draw_at(frame: &mut Frame<'_>, state: &DemoState, chosen: usize, now: Instant) {
    let area = frame.area();
    let head = head(state, now, usize::from(area.width));
    let head_lines = u16::try_from(head.len()).unwrap_or(2);
    let rest = area.height.saturating_sub(head_lines + 1);
    let wanted = u16::try_from(state.operators.len()).unwrap_or(u16::MAX - 3) + 3;
    let operators = wanted
        .min(rest.saturating_sub(LEAST_BLOCKS + LEAST_NEWS))
        .max(4);
    let news = rest
        .saturating_sub(operators + FAIR_BLOCKS)
        .clamp(LEAST_NEWS, FAIR_NEWS);
    let [title, operators, blocks, news, keys] = Layout::vertical([
        Constraint::Length(head_lines),
        Constraint::Length(operators),
        Constraint::Min(LEAST_BLOCKS),
        Constraint::Length(news),
        Constraint::Length(1),
    ])
    .areas(area);

    frame.render_widget(Paragraph::new(head), title);
    draw_operators(frame, operators, state, chosen);
    draw_blocks(frame, blocks, state);
    draw_news(frame, news, state);
    frame.render_widget(
        Paragraph::new(fit(KEYS, usize::from(keys.width))).style(Style::new().fg(Color::DarkGray)),
        keys,
    );
}

/// The title and the state of the chain; its times advance even while nothing happens.
fn head(state: &DemoState, now: Instant, width: usize) -> Vec<Line<'static>> {
    let title = fit(&state.title, width.saturating_sub(13));
    let mut lines = vec![Line::from(vec![
        Span::styled(" federation ", Style::new().add_modifier(Modifier::BOLD)),
        Span::raw(title),
    ])];
    let health = if state.forks.is_empty() {
        Span::styled("no fork", Style::new().fg(Color::Green))
    } else {
        Span::styled("FORKED", Style::new().fg(Color::White).bg(Color::Red))
    };
    let since = state.since_last_block(now);
    let gap = Duration::from_millis(state.longest_gap_ms).max(match state.last_block {
        Some(_) => since,
        None => Duration::ZERO,
    });
    let last = match state.last_block {
        Some(_) => format!("last {} ago", seconds(since)),
        None => format!("none yet after {}", seconds(since)),
    };
    lines.push(Line::from(vec![
        Span::raw(format!(
            " {} blocks, {last}, longest gap {}, ",
            state.finished,
            seconds(gap)
        )),
        health,
    ]));
    if let Some(why) = state.standstill(now) {
        let text = format!(" STANDSTILL for {}: {why}", seconds(since));
        let style = Style::new().fg(Color::White).bg(Color::Red);
        let wrapped = wrap(&text, width.max(20), 3);
        lines.extend(wrapped.into_iter().map(|line| Line::styled(line, style)));
    }
    lines
}

fn draw_operators(frame: &mut Frame<'_>, area: Rect, state: &DemoState, chosen: usize) {
    let count = state.operators.len();
    let room = usize::from(area.height.saturating_sub(3)).max(1);
    // The selected operator is always visible.
    let first = (chosen + 1)
        .saturating_sub(room)
        .min(count.saturating_sub(room));
    let widths = [2, 8, 6, 5, 14, 5, 6, 8];
    let taken: u16 = widths.iter().sum::<u16>() + 8 + 2;
    let note = usize::from(area.width.saturating_sub(taken));
    let shown = state.operators.iter().enumerate().skip(first).take(room);
    let rows = shown.map(|(index, operator)| {
        let row = operator_row(state, index, operator, note);
        if index == chosen {
            row.add_modifier(Modifier::REVERSED)
        } else {
            row
        }
    });
    let header = [
        "", "operator", "height", "round", "phase", "", "signed", "took", "",
    ];
    let title = if room < count {
        let stopped = state.operators.iter().filter(|o| !o.running).count();
        format!(
            " operators {} to {} of {count}: {} must sign, {stopped} stopped; up/down to scroll ",
            first + 1,
            first + room,
            state.threshold
        )
    } else {
        format!(" operators: {} of {count} must sign ", state.threshold)
    };
    let columns = widths
        .map(Constraint::Length)
        .into_iter()
        .chain([Constraint::Min(6)]);
    let table = Table::new(rows, columns)
        .header(Row::new(header).style(Style::new().fg(Color::DarkGray)))
        .block(Block::bordered().title(fit(&title, usize::from(area.width.saturating_sub(2)))));
    frame.render_widget(table, area);
}

fn operator_row(
    state: &DemoState,
    index: usize,
    operator: &OperatorRow,
    note: usize,
) -> Row<'static> {
    let leads = state.leader() == Some(index);
    let colour = if !operator.running {
        Color::Red
    } else if leads {
        Color::Yellow
    } else {
        Color::Reset
    };
    let if_running = |text: String| {
        if operator.running {
            text
        } else {
            "-".to_owned()
        }
    };
    let has_signed = state
        .blocks
        .front()
        .is_some_and(|block| block.signers.contains(&operator.name));
    let phase = if operator.running {
        &operator.phase
    } else {
        "stopped"
    };
    let links = cut_links(state, index);
    Row::new(vec![
        Cell::from((index + 1).to_string()),
        Cell::from(fit(&operator.name, 8)),
        Cell::from(if_running(operator.height.to_string())),
        Cell::from(if_running(operator.round.to_string())),
        Cell::from(fit(phase, 14)),
        Cell::from(if leads { "leads" } else { "" }),
        Cell::from(if has_signed { "yes" } else { "" }),
        Cell::from(operator.last_ms.map(took).unwrap_or_default()),
        Cell::from(fit(operator.alarm.as_ref().unwrap_or(&links), note)),
    ])
    .style(Style::new().fg(colour))
}

fn cut_links(state: &DemoState, index: usize) -> String {
    let others: Vec<&str> = state
        .cut
        .iter()
        .filter_map(|&(a, b)| match index {
            i if i == a => Some(b),
            i if i == b => Some(a),
            _ => None,
        })
        .filter_map(|other| state.operators.get(other).map(|o| o.name.as_str()))
        .collect();
    if others.is_empty() {
        String::new()
    } else {
        format!("cut from {}", others.join(", "))
    }
}

fn draw_blocks(frame: &mut Frame<'_>, area: Rect, state: &DemoState) {
    let room = usize::from(area.height.saturating_sub(3));
    let shown: Vec<&BlockRow> = state.blocks.iter().take(room).collect();
    let inner = usize::from(area.width.saturating_sub(2));
    let hash = if inner >= 100 { 16 } else { 8 };
    // Height, hash, round, leader, took, transactions and the gaps between all.
    let rest = inner.saturating_sub(6 + hash + 5 + 8 + 8 + 3 + 7);
    let signers: Vec<String> = shown
        .iter()
        .map(|block| signers(state, block, rest.saturating_sub(10)))
        .collect();
    let signed = signers.iter().map(|text| text.chars().count()).max();
    let signed = signed
        .unwrap_or_default()
        .max(9)
        .min(rest.saturating_sub(6));
    let assets = rest.saturating_sub(signed);
    let rows = shown.iter().zip(signers).map(|(block, signers)| {
        let retried = if block.round > 0 {
            Color::Yellow
        } else {
            Color::Reset
        };
        Row::new(vec![
            Cell::from(block.height.to_string()),
            Cell::from(block.hash.get(..hash).unwrap_or(&block.hash).to_owned()),
            Cell::from(block.round.to_string()),
            Cell::from(fit(&block.leader, 8)),
            Cell::from(took(block.ms)),
            Cell::from(block.transactions.to_string()),
            Cell::from(fit(&signers, signed)),
            Cell::from(fit(&block.assets.join(", "), assets)),
        ])
        .style(Style::new().fg(retried))
    });
    let header = [
        "height",
        "hash",
        "round",
        "leader",
        "took",
        "txs",
        "signed by",
        "assets",
    ];
    let length = |width: usize| Constraint::Length(u16::try_from(width).unwrap_or(u16::MAX));
    let widths = [
        Constraint::Length(6),
        length(hash),
        Constraint::Length(5),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(3),
        length(signed),
        length(assets),
    ];
    let title = match (shown.len(), state.finished) {
        (0, _) => " no blocks yet ".to_owned(),
        (shown, all) if usize::try_from(all) == Ok(shown) => " blocks ".to_owned(),
        (shown, all) => format!(" blocks: the last {shown} of {all} "),
    };
    let table = Table::new(rows, widths)
        .header(Row::new(header).style(Style::new().fg(Color::DarkGray)))
        .block(Block::bordered().title(title));
    frame.render_widget(table, area);
}

/// Lists a block's signers by name, or by number if the names do not fit.
fn signers(state: &DemoState, block: &BlockRow, room: usize) -> String {
    let names = block.signers.join(" ");
    if names.chars().count() <= room {
        return names;
    }
    let number = |name: &String| {
        let place = state.operators.iter().position(|o| o.name == *name);
        place.map(|index| index + 1)
    };
    let mut numbers: Vec<usize> = block.signers.iter().filter_map(number).collect();
    numbers.sort_unstable();
    ranges(&numbers)
}

/// Formats ascending numbers as ranges: `1-3 5 8-9`.
fn ranges(numbers: &[usize]) -> String {
    let runs = numbers.chunk_by(|one, next| one + 1 == *next);
    let runs = runs.filter_map(|run| match run {
        [] => None,
        [one] => Some(one.to_string()),
        [first, .., last] => Some(format!("{first}-{last}")),
    });
    runs.collect::<Vec<_>>().join(" ")
}

fn draw_news(frame: &mut Frame<'_>, area: Rect, state: &DemoState) {
    let room = usize::from(area.height.saturating_sub(2));
    let width = usize::from(area.width.saturating_sub(2)).max(1);
    let all: Vec<Vec<String>> = state
        .news
        .iter()
        .map(|news| wrap(news, width, room))
        .collect();
    // Only items that fit whole.
    let mut lines = 0;
    let shown = all
        .iter()
        .take_while(|news| {
            lines += news.len();
            lines <= room
        })
        .count();
    let title = if shown == state.news.len() {
        " news ".to_owned()
    } else {
        format!(" news: the last {shown} of {} ", state.news_count)
    };
    let text: Vec<Line<'_>> = all
        .into_iter()
        .take(shown)
        .flatten()
        .map(Line::from)
        .collect();
    frame.render_widget(
        Paragraph::new(text)
            .wrap(Wrap { trim: false })
            .block(Block::bordered().title(title)),
        area,
    );
}

/// Cuts a text to a number of columns, marked with `…`.
fn fit(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    if width > 0 {
        cut.push('…');
    }
    cut
}

/// Wraps a text at words into lines of a number of columns; what exceeds the last line is cut off with
/// `…`.
fn wrap(text: &str, width: usize, lines: usize) -> Vec<String> {
    let mut wrapped: Vec<String> = Vec::new();
    let mut current: Option<String> = None;
    for word in text.split(' ') {
        current = Some(match current {
            None => word.to_owned(),
            Some(line)
                if line.chars().count() + 1 + word.chars().count() > width
                    && wrapped.len() + 1 < lines =>
            {
                wrapped.push(line);
                format!("   {word}")
            }
            Some(line) => format!("{line} {word}"),
        });
    }
    wrapped.extend(current);
    wrapped.iter().map(|line| fit(line, width)).collect()
}

/// Formats a duration in at most eight columns.
fn took(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{ms} ms"),
        _ => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
    }
}

fn seconds(span: Duration) -> String {
    format!("{}.{} s", span.as_secs(), span.subsec_millis() / 100)
}

#[cfg(test)]
mod tests;
