//! Turns led by this operator: it proposes, collects signatures and completes the block.

use std::collections::BTreeMap;

use bytes::Bytes;
use federation_chain::{Block, BlockHeight, UnixTime};
use secp256k1::ecdsa::Signature;

use super::{Machine, OwnBlock, State};
use crate::{Event, Message, Output, RawReissuance, Turn, TxSignatures};

/// How many messages of one sender are processed per turn: each costs a verification per key.
const MAX_PROCESSED: u32 = 4;

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
                return Err("the turn was over".to_owned());
            }
            let block = Block::decode(rules.dialect(), bytes)
                .map_err(|error| error.to_string())?
                .without_signatures();
            rules
                .check_challenge(block.header())
                .and_then(|()| rules.check_proposed(block.header()))
                .map_err(|error| error.to_string())?;
            if block.height() != view.height.next() || block.header().previous() != view.tip {
                return Err("the node's best block has changed".to_owned());
            }
            Ok(block)
        });
        let block = match checked {
            Ok(block) => block,
            Err(reason) => {
                active.state = State::Done;
                self.report(Event::NoTemplate(reason));
                return;
            }
        };
        let (height, hash) = (block.height(), block.block_hash());
        let message = Message::Proposal {
            height,
            block: block.as_bytes().clone(),
            reissuances: reissuances.clone(),
        };
        active.state = State::Collecting(OwnBlock {
            block,
            signatures: BTreeMap::new(),
            reissuances,
            tx_signatures: BTreeMap::new(),
            processed: BTreeMap::new(),
        });
        self.outputs.push_back(Output::Publish(message));
        self.report(Event::Proposed { height, hash });
        self.sign_own_if_all();
    }

    /// Handles another operator's signatures of our proposal.
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
        let processed = own.processed.entry(from).or_default();
        *processed += 1;
        if *processed > MAX_PROCESSED {
            self.report(Event::Dropped {
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
            self.report(Event::Dropped {
                from,
                reason: "no new signature of our block",
            });
        }
        self.sign_own_if_all();
    }

    /// Signs once all others have signed. With fewer signatures, the block is completed only at a third
    /// of the turn, when nobody signs any more: an old operator whose node has the block already fails
    /// to sign it, and stops for good. With a reissuance it is half of the turn, since the number of
    /// signatures that the tokens' script requires is not known here.
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

    /// Signs our block last, so that our signature is only published in a complete block. Reissuances
    /// are sent before it.
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

    pub(super) fn signed_own(
        &mut self,
        mut own: OwnBlock,
        signatures: Result<Vec<Signature>, String>,
    ) {
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
                self.report(Event::Completed {
                    height,
                    hash,
                    signers,
                });
            }
            Err(reason) => self.report(Event::Refused {
                height,
                hash,
                reason,
            }),
        }
    }
}
