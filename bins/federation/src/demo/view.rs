//! The live view of the demo on a terminal.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style, Stylize},
    text::{Line, Span},
    widgets::{Block, Cell, Paragraph, Row, Table},
};

use super::state::DemoState;

const KEYS: &str = " up/down choose an operator   space stop or restart it   k kill it   c cut one of its links   h heal them   q quit";

/// Draws the whole picture.
pub(crate) fn draw(frame: &mut Frame<'_>, state: &DemoState, chosen: usize) {
    let rows = u16::try_from(state.operators.len()).unwrap_or(20) + 3;
    let [title, operators, blocks, news, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(rows),
        Constraint::Min(6),
        Constraint::Length(7),
        Constraint::Length(1),
    ])
    .areas(frame.area());

    frame.render_widget(title_line(state), title);
    draw_operators(frame, operators, state, chosen);
    draw_blocks(frame, blocks, state);
    draw_news(frame, news, state);
    frame.render_widget(
        Paragraph::new(KEYS).style(Style::new().fg(Color::DarkGray)),
        keys,
    );
}

fn title_line(state: &DemoState) -> Paragraph<'_> {
    let health = if state.forks.is_empty() {
        Span::styled("no fork", Style::new().fg(Color::Green))
    } else {
        Span::styled("FORKED", Style::new().fg(Color::White).bg(Color::Red))
    };
    Paragraph::new(Line::from(vec![
        Span::styled(" federation ", Style::new().add_modifier(Modifier::BOLD)),
        Span::raw(format!(
            "{}   {} blocks, longest gap {:.1} s, ",
            state.title,
            state.finished,
            state.longest_gap_ms as f64 / 1000.0
        )),
        health,
    ]))
}

fn draw_operators(frame: &mut Frame<'_>, area: Rect, state: &DemoState, chosen: usize) {
    let leader = state.leader();
    let last_signers = state
        .blocks
        .front()
        .map(|b| b.signers.as_slice())
        .unwrap_or_default();
    let rows = state.operators.iter().enumerate().map(|(index, o)| {
        let colour = if !o.running {
            Color::Red
        } else if leader == Some(index) {
            Color::Yellow
        } else {
            Color::Reset
        };
        let links = cut_links(state, index);
        let row = Row::new(vec![
            Cell::from(format!("{}", index + 1)),
            Cell::from(o.name.clone()),
            Cell::from(if o.running {
                o.height.to_string()
            } else {
                "-".to_owned()
            }),
            Cell::from(if o.running {
                o.round.to_string()
            } else {
                "-".to_owned()
            }),
            Cell::from(if o.running {
                o.phase.clone()
            } else {
                "stopped".to_owned()
            }),
            Cell::from(if leader == Some(index) { "leads" } else { "" }),
            Cell::from(if last_signers.contains(&o.name) {
                "signed"
            } else {
                ""
            }),
            Cell::from(o.last_ms.map(|ms| format!("{ms} ms")).unwrap_or_default()),
            Cell::from(o.alarm.clone().unwrap_or(links)),
        ])
        .style(Style::new().fg(colour));
        if index == chosen {
            row.add_modifier(Modifier::REVERSED)
        } else {
            row
        }
    });
    let header = [
        "",
        "operator",
        "height",
        "round",
        "phase",
        "",
        "last block",
        "took",
        "",
    ];
    let widths = [
        Constraint::Length(2),
        Constraint::Length(12),
        Constraint::Length(7),
        Constraint::Length(6),
        Constraint::Length(16),
        Constraint::Length(6),
        Constraint::Length(10),
        Constraint::Length(9),
        Constraint::Min(8),
    ];
    let table = Table::new(rows, widths)
        .header(Row::new(header).style(Style::new().fg(Color::DarkGray)))
        .block(Block::bordered().title(format!(
            " operators: {} of {} must sign ",
            state.threshold,
            state.operators.len()
        )));
    frame.render_widget(table, area);
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
    let rows = state.blocks.iter().map(|b| {
        let retried = if b.round > 0 {
            Color::Yellow
        } else {
            Color::Reset
        };
        Row::new(vec![
            Cell::from(b.height.to_string()),
            Cell::from(b.hash.get(..16).unwrap_or_default().to_owned()),
            Cell::from(b.round.to_string()),
            Cell::from(b.leader.clone()),
            Cell::from(format!("{} ms", b.ms)),
            Cell::from(b.transactions.to_string()),
            Cell::from(b.signers.join(" ")),
            Cell::from(b.assets.join(", ")),
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
    let widths = [
        Constraint::Length(6),
        Constraint::Length(16),
        Constraint::Length(5),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(4),
        Constraint::Length(30),
        Constraint::Min(10),
    ];
    let table = Table::new(rows, widths)
        .header(Row::new(header).style(Style::new().fg(Color::DarkGray)))
        .block(Block::bordered().title(" blocks "));
    frame.render_widget(table, area);
}

fn draw_news(frame: &mut Frame<'_>, area: Rect, state: &DemoState) {
    let lines: Vec<Line<'_>> = state.news.iter().map(|n| Line::from(n.as_str())).collect();
    frame.render_widget(
        Paragraph::new(lines).block(Block::bordered().title(" news ")),
        area,
    );
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};

    use super::{
        super::state::{BlockRow, DemoState},
        *,
    };
    use federation_chain::BlockHeight;

    #[test]
    fn the_picture_shows_operators_blocks_news_and_cut_links() {
        let names = ["alpha", "beta", "gamma"].map(str::to_owned).to_vec();
        let mut state = DemoState::new("3 operators".to_owned(), 2, names);
        state.operators[0].running = true;
        state.operators[0].height = BlockHeight::new(8);
        state.cut.push((0, 2));
        state.tell("beta was stopped".to_owned());
        state.add_block(BlockRow {
            height: 7,
            hash: "00112233445566778899".to_owned(),
            round: 1,
            leader: "alpha".to_owned(),
            signers: vec!["alpha".to_owned(), "gamma".to_owned()],
            ms: 12,
            transactions: 3,
            assets: vec!["issued gold".to_owned()],
        });
        let mut terminal = Terminal::new(TestBackend::new(120, 30)).expect("a test terminal");
        terminal
            .draw(|frame| draw(frame, &state, 1))
            .expect("it draws");
        let screen = terminal.backend().to_string();
        for text in [
            "cut from gamma",
            "stopped",
            "0011223344556677",
            "issued gold",
            "beta was stopped",
        ] {
            assert!(screen.contains(text), "`{text}` is missing from\n{screen}");
        }
    }
}
