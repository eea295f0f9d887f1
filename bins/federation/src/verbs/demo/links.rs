//! Cutting and healing links between operators.

use super::{session::Session, state::Link};

impl Session {
    pub(super) fn cut(&mut self, index: usize) {
        let count = self.federation.federation().size();
        let mut others = (1..count).map(|step| (index + step) % count);
        let other = {
            let state = self.shared.now();
            others.find(|other| !state.cut.contains(&link(index, *other)))
        };
        let Some(other) = other else { return };
        if let Err(error) = self.federation.cut(index, other) {
            self.shared.add_news(error.to_string());
            return;
        }
        let names = (self.name(index), self.name(other));
        let mut state = self.shared.now();
        state.cut.push(link(index, other));
        state.add_news(format!(
            "the link between {} and {} was cut",
            names.0, names.1
        ));
    }

    pub(super) fn heal(&mut self, index: usize) {
        let cut = std::mem::take(&mut self.shared.now().cut);
        let (own, rest): (Vec<_>, Vec<_>) = cut
            .into_iter()
            .partition(|(a, b)| *a == index || *b == index);
        self.shared.now().cut = rest;
        for (a, b) in &own {
            if let Err(error) = self.federation.heal(*a, *b) {
                self.shared.add_news(error.to_string());
            }
        }
        if !own.is_empty() {
            let name = self.name(index);
            self.shared
                .add_news(format!("the links of {name} were healed"));
        }
    }
}

fn link(a: usize, b: usize) -> Link {
    (a.min(b), a.max(b))
}
