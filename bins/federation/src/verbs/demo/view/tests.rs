//! The whole view on a terminal of 80 columns and 24 lines.

use federation_chain::BlockHeight;
use ratatui::{Terminal, backend::TestBackend};

use super::*;

const NAMES: [&str; 5] = ["alpha", "beta", "gamma", "delta", "epsilon"];

/// Operators at height 10, the second of which is stopped.
fn federation(size: usize) -> DemoState {
    let names = (0..size)
        .map(|index| {
            let name = NAMES.get(index).map(|name| (*name).to_owned());
            name.unwrap_or_else(|| format!("op{}", index + 1))
        })
        .collect();
    let threshold = size / 2 + 1;
    let title = format!("{threshold} of {size} on devnet, dynafed, a block every 2s");
    let mut state = DemoState::new(title, threshold, Duration::from_secs(2), names);
    for (index, operator) in state.operators.iter_mut().enumerate() {
        operator.running = index != 1;
        operator.height = BlockHeight::new(10);
        operator.leader = 10 % size;
        operator.phase = "waits".to_owned();
        operator.last_ms = Some(7 + u64::try_from(index).expect("a small number"));
    }
    for height in 1..=9 {
        let signers = state.operators.iter().map(|o| o.name.clone());
        let signers = signers
            .skip(usize::from(height % 2 == 1) * 2)
            .take(threshold);
        let block = BlockRow {
            height,
            hash: format!(
                "{:016x}{:048}",
                u64::from(height) * 0x0123_4567_89ab_cdef,
                0
            ),
            round: u32::from(height == 8),
            leader: "epsilon".to_owned(),
            signers: signers.collect(),
            ms: if height == 8 { 1010 } else { 8 },
            transactions: 2,
            assets: vec!["moved 05f24963".to_owned()],
        };
        state.add_block(block);
    }
    state.longest_gap_ms = 3010;
    state
        .news
        .push_front("    7.9 s  beta was killed".to_owned());
    state.news_count = 1;
    state
}

/// Draws the view a given time after the last block.
fn screen(state: &DemoState, chosen: usize, after: Duration) -> String {
    sized(state, chosen, after, 80, 24)
}

fn sized(state: &DemoState, chosen: usize, after: Duration, width: u16, height: u16) -> String {
    let now = state.last_block.unwrap_or(state.began) + after;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test terminal");
    terminal
        .draw(|frame| draw_at(frame, state, chosen, now))
        .expect("it draws");
    let text = terminal.backend().to_string();
    let lines = text.lines().map(|line| line.trim_matches('"').trim_end());
    lines.collect::<Vec<_>>().join("\n")
}

const SOON: Duration = Duration::from_millis(1200);

#[test]
fn five_operators_fit_with_all_their_details() {
    let mut state = federation(5);
    state.cut.push((0, 2));
    state.operators[4].alarm = Some("its node is at 3, behind 9".to_owned());
    let expected = "\
\x20federation 3 of 5 on devnet, dynafed, a block every 2s
 9 blocks, last 1.2 s ago, longest gap 3.0 s, no fork
┌ operators: 3 of 5 must sign ─────────────────────────────────────────────────┐
│   operator height round phase                signed took                     │
│1  alpha    10     0     waits          leads        7 ms     cut from gamma  │
│2  beta     -      -     stopped                     8 ms                     │
│3  gamma    10     0     waits                yes    9 ms     cut from alpha  │
│4  delta    10     0     waits                yes    10 ms                    │
│5  epsilon  10     0     waits                yes    11 ms    its node is at …│
└──────────────────────────────────────────────────────────────────────────────┘
┌ blocks: the last 3 of 9 ─────────────────────────────────────────────────────┐
│height hash     round leader   took     txs signed by           assets        │
│9      0a3d70a3 0     epsilon  8 ms     2   gamma delta epsilon moved 05f24963│
│8      091a2b3c 1     epsilon  1010 ms  2   alpha beta gamma    moved 05f24963│
│7      07f6e5d4 0     epsilon  8 ms     2   gamma delta epsilon moved 05f24963│
└──────────────────────────────────────────────────────────────────────────────┘
┌ news ────────────────────────────────────────────────────────────────────────┐
│    7.9 s  beta was killed                                                    │
│                                                                              │
│                                                                              │
│                                                                              │
│                                                                              │
└──────────────────────────────────────────────────────────────────────────────┘
 up/down select   space stop/restart   k kill   c cut a link   h heal   q quit";
    assert_eq!(screen(&state, 0, SOON), expected);
}

#[test]
fn twenty_operators_scroll_and_hidden_items_are_counted() {
    let state = federation(20);
    let expected = "\
\x20federation 11 of 20 on devnet, dynafed, a block every 2s
 9 blocks, last 1.2 s ago, longest gap 3.0 s, no fork
┌ operators 6 to 16 of 20: 11 must sign, 1 stopped; up/down to scroll ─────────┐
│   operator height round phase                signed took                     │
│6  op6      10     0     waits                yes    12 ms                    │
│7  op7      10     0     waits                yes    13 ms                    │
│8  op8      10     0     waits                yes    14 ms                    │
│9  op9      10     0     waits                yes    15 ms                    │
│10 op10     10     0     waits                yes    16 ms                    │
│11 op11     10     0     waits          leads yes    17 ms                    │
│12 op12     10     0     waits                yes    18 ms                    │
│13 op13     10     0     waits                yes    19 ms                    │
│14 op14     10     0     waits                       20 ms                    │
│15 op15     10     0     waits                       21 ms                    │
│16 op16     10     0     waits                       22 ms                    │
└──────────────────────────────────────────────────────────────────────────────┘
┌ blocks: the last 1 of 9 ─────────────────────────────────────────────────────┐
│height hash     round leader   took     txs signed by assets                  │
│9      0a3d70a3 0     epsilon  8 ms     2   3-13      moved 05f24963          │
└──────────────────────────────────────────────────────────────────────────────┘
┌ news ────────────────────────────────────────────────────────────────────────┐
│    7.9 s  beta was killed                                                    │
└──────────────────────────────────────────────────────────────────────────────┘
 up/down select   space stop/restart   k kill   c cut a link   h heal   q quit";
    assert_eq!(screen(&state, 15, SOON), expected);
    // Every operator can be selected, and is then visible.
    for (index, operator) in state.operators.iter().enumerate() {
        let shown = screen(&state, index, SOON);
        let row = format!("│{:<2} {:<8} ", index + 1, operator.name);
        assert!(shown.contains(&row), "{row} in\n{shown}");
    }
}

#[test]
fn a_standstill_shows_its_growing_duration_and_the_stopped_operators() {
    let mut state = federation(5);
    for index in [2, 3] {
        state.operators[index].running = false;
    }
    let expected = "\
\x20federation 3 of 5 on devnet, dynafed, a block every 2s
 9 blocks, last 12.3 s ago, longest gap 12.3 s, no fork
 STANDSTILL for 12.3 s: 2 of the 3 that must sign are running; stopped: beta,
   gamma, delta
┌ operators: 3 of 5 must sign ─────────────────────────────────────────────────┐
│   operator height round phase                signed took                     │
│1  alpha    10     0     waits          leads        7 ms                     │
│2  beta     -      -     stopped                     8 ms                     │
│3  gamma    -      -     stopped              yes    9 ms                     │
│4  delta    -      -     stopped              yes    10 ms                    │
│5  epsilon  10     0     waits                yes    11 ms                    │
└──────────────────────────────────────────────────────────────────────────────┘
┌ blocks: the last 3 of 9 ─────────────────────────────────────────────────────┐
│height hash     round leader   took     txs signed by           assets        │
│9      0a3d70a3 0     epsilon  8 ms     2   gamma delta epsilon moved 05f24963│
│8      091a2b3c 1     epsilon  1010 ms  2   alpha beta gamma    moved 05f24963│
│7      07f6e5d4 0     epsilon  8 ms     2   gamma delta epsilon moved 05f24963│
└──────────────────────────────────────────────────────────────────────────────┘
┌ news ────────────────────────────────────────────────────────────────────────┐
│    7.9 s  beta was killed                                                    │
│                                                                              │
│                                                                              │
└──────────────────────────────────────────────────────────────────────────────┘
 up/down select   space stop/restart   k kill   c cut a link   h heal   q quit";
    assert_eq!(screen(&state, 0, Duration::from_millis(12_300)), expected);
    let later = screen(&state, 0, Duration::from_millis(13_400));
    assert!(later.contains("STANDSTILL for 13.4 s"), "{later}");
    assert!(later.contains("last 13.4 s ago"), "{later}");
}

#[test]
fn a_standstill_of_twenty_names_all_stopped_operators() {
    let mut state = federation(20);
    for operator in &mut state.operators[3..12] {
        operator.running = false;
    }
    let shown = screen(&state, 0, Duration::from_secs(72));
    let lines: Vec<&str> = shown.lines().skip(2).take(3).collect();
    assert_eq!(
        lines,
        [
            " STANDSTILL for 72.0 s: 10 of the 11 that must sign are running; stopped: beta,",
            "   delta, epsilon, op6, op7, op8, op9, op10, op11, op12",
            "┌ operators 1 to 9 of 20: 11 must sign, 10 stopped; up/down to scroll ─────────┐",
        ]
    );
    assert!(
        shown.contains(" q quit"),
        "the last line is there:\n{shown}"
    );
}

#[test]
fn before_the_first_block_no_age_is_shown() {
    let names = ["alpha", "beta", "gamma"].map(str::to_owned).to_vec();
    let title = "2 of 3 on devnet".to_owned();
    let state = DemoState::new(title, 2, Duration::from_secs(2), names);
    let shown = screen(&state, 0, SOON);
    assert!(
        shown.contains(" 0 blocks, none yet after 1.2 s, longest gap 0.0 s"),
        "{shown}"
    );
    assert!(shown.contains("no blocks yet"), "{shown}");
}

#[test]
fn a_fork_is_shown() {
    let mut state = federation(3);
    state.forks.push(7);
    assert!(screen(&state, 0, SOON).contains("FORKED"));
}

#[test]
fn a_wide_terminal_shows_longer_hashes_and_all_names() {
    let state = federation(20);
    let shown = sized(&state, 0, SOON, 160, 50);
    assert!(shown.contains("0a3d70a3d70a3d67"), "{shown}");
    assert!(
        shown.contains("gamma delta epsilon op6 op7 op8 op9 op10 op11 op12 op13"),
        "{shown}"
    );
    assert!(shown.contains("│20 op20 "), "{shown}");
}

#[test]
fn the_view_can_be_drawn_at_any_size() {
    let state = federation(20);
    for (width, height) in [(1, 1), (10, 3), (20, 8), (79, 12), (300, 100)] {
        sized(&state, 19, Duration::from_secs(60), width, height);
    }
}

#[test]
fn long_news_wrap_and_older_news_are_counted() {
    let mut state = federation(20);
    let long =
        "    9.1 s  alpha: its node does not answer: connection refused by the other end, again";
    state.news.push_front(long.to_owned());
    state.news_count = 2;
    let shown = screen(&state, 0, SOON);
    // There is room for only one line, so it is cut off.
    assert!(
        shown.contains(
            "│    9.1 s  alpha: its node does not answer: connection refused by the other e…│"
        ),
        "{shown}"
    );
    assert!(shown.contains("news: the last 1 of 2"), "{shown}");
    let mut state = federation(5);
    state.news.push_front(long.to_owned());
    let shown = screen(&state, 0, SOON);
    assert!(shown.contains("│   end, again "), "{shown}");
    assert!(shown.contains("beta was killed"), "{shown}");
}

#[test]
fn consecutive_numbers_form_ranges() {
    assert_eq!(ranges(&[]), "");
    assert_eq!(ranges(&[4]), "4");
    assert_eq!(ranges(&[1, 2, 3, 5, 8, 9]), "1-3 5 8-9");
}
