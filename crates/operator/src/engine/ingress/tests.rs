//! What passes the ingress, and what is dropped and why.

use std::time::Duration;

use federation_block_signing::{
    BlockSignature, CompactSignature, RoundCertificate, SignatureSet, VoteKind,
};
use federation_chain::{Block, BlockHash, Dialect, SigningRules};
use federation_devnet::{DevNodeConfig, genesis_block};
use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use federation_roster::{Member, Round};
use federation_signer::{IdentitySigner, Secret, Signer, SoftwareIdentity, SoftwareSigner};
use proptest::prelude::*;

use super::*;

const HEIGHT: BlockHeight = BlockHeight::new(7);

/// A federation of three and all of its keys.
struct Members {
    federation: Arc<Federation>,
    identities: Vec<SoftwareIdentity>,
    blocks: Vec<SoftwareSigner>,
}

impl Members {
    fn new(threshold: u8) -> Self {
        let blocks: Vec<Secret> = (0..3).map(|_| Secret::generate()).collect();
        let identities: Vec<Secret> = (0..3).map(|_| Secret::generate()).collect();
        let script = MultisigScript::new(
            Threshold::new(threshold).expect("small"),
            blocks.iter().map(Secret::public_key).collect(),
            KeyOrder::AsGiven,
        )
        .expect("a script");
        let size = SigningRules::required_signature_size(Dialect::Elements, &script);
        let rules = SigningRules::new(Dialect::Elements, script, size).expect("they fit");
        let operators = (0..3)
            .map(|index: usize| Member {
                name: format!("operator-{index}"),
                identity: identities[index].x_only_public_key(),
                block_key: blocks[index].public_key(),
                endpoint: format!("127.0.0.1:{index}"),
            })
            .collect();
        let genesis = BlockHash::from_bytes([1; 32]);
        let federation = Federation::new(operators, rules, genesis, Duration::from_secs(1));
        Self {
            federation: Arc::new(federation.expect("a federation")),
            identities: identities.into_iter().map(SoftwareIdentity::new).collect(),
            blocks: blocks.into_iter().map(SoftwareSigner::new).collect(),
        }
    }

    /// The ingress of an operator that works on this height.
    fn ingress(&self, height: BlockHeight) -> Ingress {
        let height = Arc::new(AtomicU32::new(height.to_u32()));
        Ingress::new(self.federation.clone(), height)
    }

    /// A frame from the operator with index `sender`, signed by the identity with index `signer`.
    async fn frame(&self, sender: u8, signer: usize, message: &Message) -> Bytes {
        let parts = message.to_parts();
        let unsigned = envelope_of(&self.federation, OperatorId::new(sender), &parts);
        let signature = self.signature(signer, &unsigned).await;
        unsigned.with_signature(signature).encode()
    }

    async fn signature(&self, signer: usize, unsigned: &UnsignedEnvelope) -> [u8; 64] {
        self.identities[signer]
            .sign_envelope(unsigned.signing_digest())
            .await
            .expect("a signature")
    }

    async fn block_signature(&self, signer: usize, height: BlockHeight) -> Message {
        let hash = BlockHash::from_bytes([3; 32]);
        let signature = self.blocks[signer].sign_block(hash).await.expect("signs");
        Message::BlockSignature(BlockSignature {
            height,
            hash,
            signature: CompactSignature::from_bytes(signature.serialize_compact()),
        })
    }
}

const fn vote(height: BlockHeight) -> Vote {
    Vote {
        kind: VoteKind::Precommit,
        height,
        round: Round::FIRST,
        value: Some(BlockHash::from_bytes([2; 32])),
    }
}

/// The input from a frame, or the reason why the frame is dropped.
fn check(ingress: &Ingress, frame: &Bytes) -> Result<Input, Dropped> {
    let head = ingress.check_head(frame)?;
    ingress.try_check(head, frame)
}

#[tokio::test]
async fn a_message_from_the_roster_near_this_operators_height_passes() {
    let members = Members::new(2);
    let ingress = members.ingress(HEIGHT);
    for height in [6, 7, 8].map(BlockHeight::new) {
        let message = Message::Vote(vote(height));
        let frame = members.frame(1, 1, &message).await;
        let Ok(Input::Received(signed)) = check(&ingress, &frame) else {
            panic!("a valid vote at {height} was dropped");
        };
        assert_eq!((signed.sender.to_u8(), signed.message), (1, message));
        let frame = members
            .frame(2, 2, &members.block_signature(2, height).await)
            .await;
        assert!(check(&ingress, &frame).is_ok());
    }
}

#[tokio::test]
async fn messages_of_far_heights_are_dropped_without_cryptography() {
    let members = Members::new(2);
    let ingress = members.ingress(HEIGHT);
    for height in [0, 5, 9, u32::MAX].map(BlockHeight::new) {
        // The signature is invalid, but is not even checked.
        let message = Message::Vote(vote(height));
        let unsigned = envelope_of(&members.federation, OperatorId::new(1), &message.to_parts());
        let frame = unsigned.with_signature([0; 64]).encode();
        assert_eq!(ingress.check_head(&frame), Err(Dropped::FarHeight));
    }
}

#[tokio::test]
async fn other_federations_and_unknown_senders_are_dropped() {
    let (ours, theirs) = (Members::new(2), Members::new(2));
    let ingress = ours.ingress(HEIGHT);
    let message = Message::Vote(vote(HEIGHT));
    let foreign = theirs.frame(1, 1, &message).await;
    let dropped = check(&ingress, &foreign).err();
    assert_eq!(dropped, Some(Dropped::ForeignFederation));
    let unknown = ours.frame(3, 1, &message).await;
    let dropped = check(&ingress, &unknown).err();
    assert_eq!(dropped, Some(Dropped::UnknownSender));
}

/// A roster that returns, A, B, A, at one height: messages of its first epoch belong to another
/// federation, even inside a certificate that is sent in the new epoch.
#[tokio::test]
async fn a_roster_that_returns_in_another_epoch_drops_messages_of_its_first_epoch() {
    let mut members = Members::new(2);
    let message = Message::Vote(vote(HEIGHT));
    let old = members.frame(1, 1, &message).await;
    let mut signed = std::collections::BTreeMap::new();
    for voter in [1, 2] {
        let id = OperatorId::new(voter);
        let unsigned = envelope_of(&members.federation, id, &message.to_parts());
        let signature = members.signature(voter.into(), &unsigned).await;
        signed.insert(id, IdentitySignature::from_bytes(signature));
    }
    let certificate = Message::Certificate(Certificate {
        kind: VoteKind::Precommit,
        height: HEIGHT,
        round: Round::FIRST,
        hash: BlockHash::from_bytes([2; 32]),
        votes: signed,
    });
    let first = members.frame(1, 1, &certificate).await;
    assert!(check(&members.ingress(HEIGHT), &first).is_ok());

    // The same roster, chain and interval would be the same federation without an epoch.
    let first_time = Federation::clone(&members.federation);
    members.federation = Arc::new(first_time.with_epoch(2));
    let ingress = members.ingress(HEIGHT);
    assert_eq!(
        check(&ingress, &old).err(),
        Some(Dropped::ForeignFederation)
    );
    assert_eq!(
        check(&ingress, &first).err(),
        Some(Dropped::ForeignFederation)
    );
    let again = members.frame(1, 1, &certificate).await;
    assert_eq!(check(&ingress, &again).err(), Some(Dropped::BadSignature));
    let new = members.frame(1, 1, &message).await;
    assert!(check(&ingress, &new).is_ok());
}

/// While an operator waits for its node, the heights of others count if they have signed them.
#[tokio::test]
async fn heights_of_far_messages_are_recorded_as_long_as_they_matter() {
    let members = Members::new(2);
    let heights = Arc::new(PeerHeights::default());
    let ingress = members.ingress(HEIGHT).with_peer_heights(heights.clone());
    let far = Message::Vote(vote(BlockHeight::new(900)));
    let honest = members.frame(1, 1, &far).await;
    let forged = members.frame(2, 1, &far).await;
    assert_eq!(check(&ingress, &honest).err(), Some(Dropped::FarHeight));
    for frame in [&honest, &forged] {
        ingress.record_far_height(frame);
    }
    let near = members.frame(0, 0, &Message::Vote(vote(HEIGHT))).await;
    assert!(check(&ingress, &near).is_ok());
    let me = OperatorId::new(2);
    let tip = BlockHeight::new(6);
    assert_eq!(heights.count(me, tip), (1, 1));
}

#[tokio::test]
async fn no_operator_can_send_for_another() {
    let members = Members::new(2);
    let ingress = members.ingress(HEIGHT);
    let forged = members.frame(1, 2, &Message::Vote(vote(HEIGHT))).await;
    assert_eq!(check(&ingress, &forged).err(), Some(Dropped::BadSignature));
    // A valid envelope around another operator's block signature.
    let stolen = members.block_signature(1, HEIGHT).await;
    let frame = members.frame(2, 2, &stolen).await;
    assert_eq!(check(&ingress, &frame).err(), Some(Dropped::BadSignature));
}

#[tokio::test]
async fn a_certificate_needs_the_votes_of_a_quorum() {
    let members = Members::new(2);
    let ingress = members.ingress(HEIGHT);
    let vote = vote(HEIGHT);
    let parts = Message::Vote(vote).to_parts();
    let certificate = async |votes: &[(u8, usize)]| {
        let mut signed = std::collections::BTreeMap::new();
        for (voter, signer) in votes {
            let voter = OperatorId::new(*voter);
            let unsigned = envelope_of(&members.federation, voter, &parts);
            let signature = members.signature(*signer, &unsigned).await;
            signed.insert(voter, IdentitySignature::from_bytes(signature));
        }
        let certificate = Message::Certificate(Certificate {
            kind: vote.kind,
            height: vote.height,
            round: vote.round,
            hash: vote.value.expect("a block"),
            votes: signed,
        });
        check(&ingress, &members.frame(0, 0, &certificate).await)
    };
    assert!(certificate(&[(0, 0), (2, 2)]).await.is_ok());
    let too_few = certificate(&[(2, 2)]).await;
    assert_eq!(too_few.err(), Some(Dropped::BadSignature));
    let forged = certificate(&[(0, 0), (2, 1)]).await;
    assert_eq!(forged.err(), Some(Dropped::BadSignature));
    let unknown = certificate(&[(0, 0), (1, 1), (3, 1)]).await;
    assert_eq!(unknown.err(), Some(Dropped::UnknownSender));
}

#[tokio::test]
async fn a_round_certificate_needs_the_precommits_of_a_quorum_each_signed_by_its_voter() {
    let members = Members::new(2);
    let ingress = members.ingress(HEIGHT);
    let round = Round::new(3);
    let check_votes = async |votes: &[(u8, usize, Option<BlockHash>, VoteKind)]| {
        let mut cast = std::collections::BTreeMap::new();
        for (voter, signer, value, kind) in votes {
            let voter = OperatorId::new(*voter);
            let vote = Message::Vote(Vote {
                kind: *kind,
                height: HEIGHT,
                round,
                value: *value,
            });
            let unsigned = envelope_of(&members.federation, voter, &vote.to_parts());
            let signature = members.signature(*signer, &unsigned).await;
            cast.insert(voter, (*value, IdentitySignature::from_bytes(signature)));
        }
        let certificate = Message::RoundCertificate(RoundCertificate {
            height: HEIGHT,
            round,
            votes: cast,
        });
        check(&ingress, &members.frame(0, 0, &certificate).await)
    };
    let (block, precommit) = (Some(BlockHash::from_bytes([7; 32])), VoteKind::Precommit);
    let mixed = [(0, 0, block, precommit), (2, 2, None, precommit)];
    assert!(check_votes(&mixed).await.is_ok());
    let too_few = check_votes(&mixed[1..]).await;
    assert_eq!(too_few.err(), Some(Dropped::BadSignature));
    let forged = check_votes(&[mixed[0], (2, 1, None, precommit)]).await;
    assert_eq!(forged.err(), Some(Dropped::BadSignature));
    let prevotes = check_votes(&[mixed[0], (2, 2, None, VoteKind::Prevote)]).await;
    assert_eq!(prevotes.err(), Some(Dropped::BadSignature));
    let unknown = check_votes(&[mixed[0], mixed[1], (3, 1, None, precommit)]).await;
    assert_eq!(unknown.err(), Some(Dropped::UnknownSender));
}

#[tokio::test]
async fn each_signature_of_a_set_must_be_by_the_block_key_of_its_operator() {
    let members = Members::new(2);
    let ingress = members.ingress(HEIGHT);
    let hash = BlockHash::from_bytes([3; 32]);
    let passed_on = async |signatures: &[(u8, usize)]| {
        let mut set = std::collections::BTreeMap::new();
        for (operator, signer) in signatures {
            let signature = members.blocks[*signer].sign_block(hash).await;
            let bytes = signature.expect("signs").serialize_compact();
            let signature = CompactSignature::from_bytes(bytes);
            set.insert(OperatorId::new(*operator), signature);
        }
        let message = Message::SignatureSet(SignatureSet {
            height: HEIGHT,
            hash,
            signatures: set,
        });
        // The sender of a set need not be among its signers.
        check(&ingress, &members.frame(0, 0, &message).await)
    };
    assert!(passed_on(&[(1, 1), (2, 2)]).await.is_ok());
    let swapped = passed_on(&[(1, 1), (2, 0)]).await;
    assert_eq!(swapped.err(), Some(Dropped::BadSignature));
    let unknown = passed_on(&[(1, 1), (3, 2)]).await;
    assert_eq!(unknown.err(), Some(Dropped::UnknownSender));
}

#[tokio::test]
async fn a_message_of_an_unknown_kind_has_its_own_reason() {
    let members = Members::new(2);
    let ingress = members.ingress(HEIGHT);
    let mut parts = Message::Vote(vote(HEIGHT)).to_parts();
    for kind in [0, 60, 200] {
        parts.kind = kind;
        let unsigned = envelope_of(&members.federation, OperatorId::new(1), &parts);
        let frame = unsigned.with_signature([0; 64]).encode();
        assert_eq!(ingress.check_head(&frame), Err(Dropped::UnknownKind));
    }
}

#[tokio::test]
async fn a_body_must_be_an_unsigned_block_of_this_chain_with_the_hash_it_claims() {
    let members = Members::new(2);
    // The genesis block of such a chain is an unsigned block like any other.
    let genesis = |members: &Members| {
        let script = members.federation.rules().script().clone();
        genesis_block(&DevNodeConfig::new(Dialect::Elements, script)).expect("a chain")
    };
    let ingress = members.ingress(BlockHeight::GENESIS);
    let body = async |block: &Block, hash, height| {
        let message = Message::Body(Body {
            height,
            hash,
            bytes: block.as_bytes().clone(),
        });
        check(&ingress, &members.frame(1, 1, &message).await)
    };
    let good = genesis(&members);
    let passed = body(&good, good.block_hash(), BlockHeight::GENESIS).await;
    assert!(matches!(passed, Ok(Input::Body { candidate, .. })
        if candidate.hash == good.block_hash() && candidate.bytes == good.as_bytes()));
    let hash = BlockHash::from_bytes([9; 32]);
    let other_hash = body(&good, hash, BlockHeight::GENESIS).await;
    assert_eq!(other_hash.err(), Some(Dropped::BadBody));
    let other_height = body(&good, good.block_hash(), BlockHeight::new(1)).await;
    assert_eq!(other_height.err(), Some(Dropped::BadBody));
    let foreign = genesis(&Members::new(2));
    let other_script = body(&foreign, foreign.block_hash(), BlockHeight::GENESIS).await;
    assert_eq!(other_script.err(), Some(Dropped::BadBody));
}

#[tokio::test]
async fn an_oversized_vote_is_dropped_because_of_its_length() {
    let members = Members::new(2);
    let ingress = members.ingress(HEIGHT);
    let mut parts = Message::Vote(vote(HEIGHT)).to_parts();
    parts.payload = vec![0; 1_000_000].into();
    let unsigned = envelope_of(&members.federation, OperatorId::new(1), &parts);
    let frame = unsigned.with_signature([0; 64]).encode();
    assert_eq!(ingress.check_head(&frame), Err(Dropped::TooLarge));
}

#[tokio::test]
async fn a_change_of_any_byte_of_a_frame_is_detected() {
    let members = Members::new(2);
    let ingress = members.ingress(HEIGHT);
    let frame = members.frame(1, 1, &Message::Vote(vote(HEIGHT))).await;
    for index in 0..frame.len() {
        let mut changed = frame.to_vec();
        changed[index] ^= 1;
        assert!(check(&ingress, &changed.into()).is_err(), "byte {index}");
    }
}

proptest! {
    #[test]
    fn garbage_is_dropped(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let members = Members::new(2);
        prop_assert!(check(&members.ingress(HEIGHT), &bytes.into()).is_err());
    }
}
