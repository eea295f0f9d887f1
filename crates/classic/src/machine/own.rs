//! Turns that this operator leads: it proposes, collects signatures and completes the block.

use std::collections::BTreeMap;

use bytes::Bytes;
use federation_chain::{Block, BlockHeight, UnixTime};
use secp256k1::ecdsa::Signature;

use super::{Machine, Own, State};
use crate::{Event, Message, Output, RawReissuance, Turn, TxSignatures};

/// How many messages of one sender are looked at in a turn: each costs a check for each key.
const MAX_HEARD: u32 = 4;

impl Machine {
    pub(super) fn template(
        &mut self,
        now: UnixTime,
        turn: Turn,
        block: Result<Bytes, String>,
        reissuances: Vec<RawReissuance>,
    ) {
        let Some(active) = self
            .active
            .as_mut()
            .filter(|active| active.turn == turn && matches!(active.state, State::Templating))
        else {
            return;
        };
        let Some(view) = active.view else {
            return;
        };
        let rules = &self.config.rules;
        let late = now >= active.signatures_until();
        let checked = block.and_then(|bytes| {
            if late {
                return Err("it came when the turn was over".to_owned());
            }
            let block = Block::decode(rules.dialect(), bytes)
                .map_err(|error| error.to_string())?
                .without_signatures();
            rules
                .check_challenge(block.header())
                .and_then(|()| rules.check_proposed(block.header()))
                .map_err(|error| error.to_string())?;
            if block.height() != view.height.next() || block.header().previous() != view.tip {
                return Err("the node's best block changed meanwhile".to_owned());
            }
            Ok(block)
        });
        let block = match checked {
            Ok(block) => block,
            Err(reason) => {
                active.state = State::Done;
                self.tell(Event::NoTemplate(reason));
                return;
            }
        };
        let (height, hash) = (block.height(), block.block_hash());
        let message = Message::Proposal {
            height,
            block: block.as_bytes().clone(),
            reissuances: reissuances.clone(),
        };
        active.state = State::Collecting(Own {
            block,
            signatures: BTreeMap::new(),
            reissuances,
            tx_signatures: BTreeMap::new(),
            heard: BTreeMap::new(),
        });
        self.outputs.push_back(Output::Publish(message));
        self.tell(Event::Proposed { height, hash });
        self.sign_own_if_all();
    }

    /// Another operator signs what is proposed.
    pub(super) fn signatures(
        &mut self,
        from: Option<usize>,
        height: BlockHeight,
        signatures: Vec<Signature>,
        reissuances: Option<TxSignatures>,
    ) {
        let operators = self.config.schedule.operators();
        let Some(active) = &mut self.active else {
            return;
        };
        let State::Collecting(own) = &mut active.state else {
            return;
        };
        if own.block.height() != height {
            return;
        }
        let heard = own.heard.entry(from).or_default();
        *heard += 1;
        if *heard > MAX_HEARD {
            self.tell(Event::Dropped {
                from,
                reason: "too many messages with signatures",
            });
            return;
        }
        let before = own.signatures.len();
        let hash = own.block.block_hash();
        own.signatures
            .extend(Self::valid(&self.config.rules, hash, signatures));
        if let Some(TxSignatures { id, signatures }) = reissuances
            && id < operators
            && !own.reissuances.is_empty()
            && signatures.len() == own.reissuances.len()
        {
            own.tx_signatures.entry(id).or_insert(signatures);
        } else if own.signatures.len() == before {
            self.tell(Event::Dropped {
                from,
                reason: "no signature of the own block that is new",
            });
        }
        self.sign_own_if_all();
    }

    /// Goes on when all others have signed. With fewer the block is completed only at a third of the
    /// turn, when nobody signs any more: an old operator whose node has the block already cannot sign
    /// it, and stops for good. At a reissuance it is half of the turn: how many signatures the tokens'
    /// script demands is not known here.
    fn sign_own_if_all(&mut self) {
        let others = self.config.schedule.operators() - 1;
        let are_all = self.active.as_ref().is_some_and(|active| {
            matches!(&active.state, State::Collecting(own) if own.signatures.len() >= others
                && (own.reissuances.is_empty() || own.tx_signatures.len() >= others))
        });
        if are_all || self.config.rules.script().threshold().to_usize() == 1 {
            self.sign_own();
        }
    }

    /// The own signature comes last: it leaves only as part of a complete block. What is reissued goes
    /// before.
    pub(super) fn sign_own(&mut self) {
        let Some(active) = &mut self.active else {
            return;
        };
        let turn = active.turn;
        match core::mem::replace(&mut active.state, State::Done) {
            State::Collecting(mut own) => {
                let block = own.block.clone();
                let reissuances = core::mem::take(&mut own.reissuances);
                let signatures = core::mem::take(&mut own.tx_signatures)
                    .into_values()
                    .collect();
                active.state = State::SigningOwn(own);
                if !reissuances.is_empty() {
                    self.outputs.push_back(Output::Reissue {
                        reissuances,
                        signatures,
                    });
                }
                self.outputs.push_back(Output::SignBlock {
                    turn,
                    block,
                    reissuances: Vec::new(),
                });
            }
            other => active.state = other,
        }
    }

    pub(super) fn signed_own(&mut self, mut own: Own, signatures: Result<Vec<Signature>, String>) {
        let rules = &self.config.rules;
        let (height, hash) = (own.block.height(), own.block.block_hash());
        let complete = signatures.and_then(|signatures| {
            own.signatures.extend(Self::valid(rules, hash, signatures));
            let complete = rules
                .assemble(&own.block, &own.signatures)
                .map_err(|error| error.to_string())?;
            let signers = rules
                .signers(complete.header())
                .map_err(|error| error.to_string())?;
            Ok((complete, signers))
        });
        match complete {
            Ok((block, signers)) => {
                self.outputs.push_back(Output::Submit(block));
                self.tell(Event::Completed {
                    height,
                    hash,
                    signers,
                });
            }
            Err(reason) => self.tell(Event::Refused {
                height,
                hash,
                reason,
            }),
        }
    }
}
