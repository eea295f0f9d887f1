//! Neither a node's nor an operator's proposal can take over a dynafed chain.
//!
//! With a real node: `ELEMENTSD=.. cargo test -p federation-local --test takeover -- --ignored`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use federation_block_signing::{
    Alarm, BlockSignature, Body, CompactSignature, Event, Message, Proposal, Refusal, Vote,
    VoteKind,
};
use federation_chain::{Block, BlockHeight, Dialect, ParamsRoot};
use federation_harness::{Middleman, Proxy, Usurper, forge_elided_root, propose};
use federation_local::{LocalConfig, LocalError, LocalFederation, LocalNode, NodeKind};
use federation_messenger::Messenger;
use federation_multisig::{KeyOrder, MultisigScript, Threshold};
use federation_ocean_rpc::Node;
use federation_operator::{OperatorEvent, StartError};
use federation_roster::{EnvelopeHead, Federation, OperatorId, Round, UnsignedEnvelope};
use federation_signer::{IdentitySigner, Secret, Signer, SoftwareIdentity, SoftwareSigner};

const LIMIT: Duration = Duration::from_secs(240);
/// 4 of 5 tolerates two liars. An epoch has ten blocks.
const LIARS: [usize; 2] = [3, 4];

fn config(nodes: NodeKind) -> LocalConfig {
    LocalConfig::new(5, 4)
        .with_nodes(nodes)
        .with_interval(Duration::from_millis(300))
        .with_absent(LIARS)
}

fn elementsd() -> NodeKind {
    let program = std::env::var("ELEMENTSD").expect("ELEMENTSD names a node");
    NodeKind::Process(program.into())
}

/// Returns a script of one foreign key that would sign alone.
fn stranger() -> MultisigScript {
    let key = Secret::generate().public_key();
    let one = Threshold::new(1).expect("one");
    MultisigScript::new(one, vec![key], KeyOrder::AsGiven).expect("a script")
}

async fn block(node: &LocalNode, height: u32) -> Block {
    let hash = node.hash_at(BlockHeight::new(height)).await.expect("there");
    let bytes = node.client().block(hash).await.expect("there");
    Block::decode(Dialect::Dynafed, bytes).expect("a block")
}

/// Checks that every block up to this height is signed by the federation and proposes no parameters, and
/// that the federation signs the next one, too.
async fn check_chain(federation: &LocalFederation, height: u32) {
    let rules = federation.federation().rules();
    let node = federation.node(0);
    for height in 1..=height {
        let block = block(node, height).await;
        assert_eq!(rules.check_block(&block), Ok(()), "height {height}");
        assert_eq!(rules.check_proposed(block.header()), Ok(()), "{height}");
    }
    let info = node.client().blockchain_info().await.expect("it answers");
    let own = hex_conservative::DisplayHex::to_lower_hex_string(rules.signing_script());
    assert_eq!(info.current_signblock_hex, Some(own));
}

/// Waits for an alarm.
async fn alarm(federation: &LocalFederation, operator: usize, wanted: fn(&Alarm) -> bool) {
    let mut status = federation.operator(operator).expect("it runs").status();
    let found = status.wait_for(|status| status.last_alarm.as_ref().is_some_and(wanted));
    let waited = tokio::time::timeout(LIMIT, found).await;
    waited.expect("in time").expect("it runs");
}

const fn is_foreign(alarm: &Alarm) -> bool {
    matches!(alarm, Alarm::ForeignTemplate { .. })
}

/// Puts a middleman between these operators and their nodes, and starts them.
async fn start_behind(
    federation: &mut LocalFederation,
    liars: &[usize],
    middleman: &Arc<impl Middleman>,
) -> Result<Vec<Proxy>, LocalError> {
    let mut proxies = Vec::new();
    for &liar in liars {
        let client = federation.node(liar).client().clone();
        let proxy = Proxy::spawn(&client.url(), middleman.clone()).await;
        let proxy = proxy.expect("a port");
        federation.set_client(liar, client.through(&proxy.url())?);
        federation.start_operator(liar).await?;
        proxies.push(proxy);
    }
    Ok(proxies)
}

async fn two_nodes_lie(nodes: NodeKind) -> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(nodes)).await?;
    let usurper = Usurper::new(stranger());
    let _proxies = start_behind(&mut federation, &LIARS, &usurper).await?;
    // No block is possible while they prevote nil on all others, and theirs must not be decided.
    for liar in LIARS {
        alarm(&federation, liar, is_foreign).await;
    }
    while usurper.altered_templates() < 6 || usurper.refused_blocks() < 6 {
        check_chain(&federation, federation.check_one_chain().await?).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // They keep proposing the foreign script, but vote for the blocks of honest leaders again.
    usurper.set_refusing(false);
    let before = usurper.altered_templates();
    federation.wait_for_height(21, LIMIT).await?;
    assert!(usurper.altered_templates() > before, "they led");
    check_chain(&federation, federation.check_one_chain().await?).await;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_five_with_lying_nodes_do_not_take_over_the_chain() -> Result<(), LocalError> {
    two_nodes_lie(NodeKind::Devnet).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ELEMENTSD"]
async fn two_of_five_with_lying_nodes_do_not_take_over_an_elementsd_chain() -> Result<(), LocalError>
{
    two_nodes_lie(elementsd()).await
}

/// The four others are enough, so blocks continue while one node lies.
async fn one_node_lies(nodes: NodeKind) -> Result<(), LocalError> {
    let [liar, _] = LIARS;
    let mut federation = LocalFederation::start(config(nodes).with_absent([liar])).await?;
    let usurper = Usurper::new(stranger());
    let _proxies = start_behind(&mut federation, &[liar], &usurper).await?;
    alarm(&federation, liar, is_foreign).await;
    // Two epochs and a block: proposals of the first would be in force.
    federation.wait_for_height(21, LIMIT).await?;
    while usurper.altered_templates() < 4 || usurper.refused_blocks() < 4 {
        let height = federation.check_one_chain().await?;
        federation.wait_for_height(height + 1, LIMIT).await?;
    }
    check_chain(&federation, federation.check_one_chain().await?).await;
    federation.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_five_with_a_lying_node_does_not_take_over_the_chain() -> Result<(), LocalError> {
    one_node_lies(NodeKind::Devnet).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ELEMENTSD"]
async fn one_of_five_with_a_lying_node_does_not_take_over_an_elementsd_chain()
-> Result<(), LocalError> {
    one_node_lies(elementsd()).await
}

/// With epochs of fewer than five blocks, a few consecutive blocks of liars could change the signers.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ELEMENTSD"]
async fn no_operator_starts_on_an_elementsd_with_short_epochs() -> Result<(), LocalError> {
    let begin =
        async |length: u32| -> Result<(LocalFederation, Result<(), LocalError>), LocalError> {
            let config = LocalConfig::new(1, 1)
                .with_nodes(elementsd())
                .with_node_args([format!("-dynamic_epoch_length={length}")])
                .with_absent([0]);
            let mut federation = LocalFederation::start(config).await?;
            let info = federation.node(0).client().blockchain_info().await?;
            assert_eq!(info.epoch_length, Some(length), "the node reports it");
            let started = federation.start_operator(0).await;
            Ok((federation, started))
        };
    for short in [1, 2, 4] {
        let (federation, started) = begin(short).await?;
        assert!(
            matches!(started, Err(LocalError::Start(StartError::ShortEpochs(found))) if found == short),
            "{started:?}"
        );
        let text = started.expect_err("refused").to_string();
        assert!(text.contains("dynamic_epoch_length"), "{text}");
        assert_eq!(federation.check_one_chain().await?, 0, "it made no block");
        federation.stop().await;
    }
    let (federation, started) = begin(5).await?;
    started?;
    federation.wait_for_height(1, LIMIT).await?;
    federation.stop().await;
    Ok(())
}

/// The blocks that the liars have agreed on, by height and round.
type Agreed = Arc<Mutex<BTreeMap<(u32, u32), Block>>>;

/// Forges a block from a node's template; `None` if it cannot.
type Forge = Arc<dyn Fn(&Block) -> Option<Block> + Send + Sync>;

/// An operator that proposes a forged block whenever it leads, votes for the liars' proposals, signs them,
/// and votes nil on all others.
struct Liar {
    me: usize,
    federation: Arc<Federation>,
    identity: SoftwareIdentity,
    block_key: SoftwareSigner,
    messenger: Arc<dyn Messenger>,
    node: Arc<LocalNode>,
    /// All liars.
    liars: Vec<usize>,
    forge: Forge,
    agreed: Agreed,
}

impl Liar {
    async fn broadcast(&self, message: Message) {
        let parts = message.to_parts();
        let unsigned = UnsignedEnvelope {
            head: EnvelopeHead {
                federation: self.federation.id(),
                sender: OperatorId::new(u8::try_from(self.me).expect("small")),
                kind: parts.kind,
                height: parts.height,
                round: parts.round,
            },
            payload: parts.payload,
        };
        let digest = unsigned.signing_digest();
        let signature = self.identity.sign_envelope(digest).await.expect("it signs");
        let frame = unsigned.with_signature(signature).encode();
        self.messenger.broadcast(frame).await.expect("it sends");
    }

    /// Returns the liars' block for a round, and forges it if this liar leads the round.
    async fn block(&self, height: u32, round: u32) -> Option<Block> {
        let known = self
            .agreed
            .lock()
            .expect("whole")
            .get(&(height, round))
            .cloned();
        let leader = (height + round) as usize % self.federation.size();
        if known.is_some() || leader != self.me {
            return known;
        }
        let template = self.node.client().new_block().await.expect("a template");
        let template = Block::decode(Dialect::Dynafed, template).expect("a block");
        let block = (self.forge)(&template)?;
        let mut agreed = self.agreed.lock().expect("whole");
        Some(agreed.entry((height, round)).or_insert(block).clone())
    }

    async fn lie(&self, height: u32, round: u32) {
        let leader = (height + round) as usize % self.federation.size();
        let block = self.block(height, round).await;
        if self.liars.contains(&leader) && block.is_none() {
            return; // Nothing is proposed yet.
        }
        let (at, in_round) = (BlockHeight::new(height), Round::new(round));
        let value = block.as_ref().map(Block::block_hash);
        if let Some(block) = block.filter(|block| block.height() == at) {
            let hash = block.block_hash();
            if leader == self.me {
                self.broadcast(Message::Proposal(Proposal {
                    height: at,
                    round: in_round,
                    hash,
                    valid_round: None,
                }))
                .await;
                self.broadcast(Message::Body(Body {
                    height: at,
                    hash,
                    bytes: block.as_bytes().clone(),
                }))
                .await;
            }
            let signature = self.block_key.sign_block(hash).await.expect("it signs");
            self.broadcast(Message::BlockSignature(BlockSignature {
                height: at,
                hash,
                signature: CompactSignature::from_bytes(signature.serialize_compact()),
            }))
            .await;
        }
        for kind in [VoteKind::Prevote, VoteKind::Precommit] {
            self.broadcast(Message::Vote(Vote {
                kind,
                height: at,
                round: in_round,
                value,
            }))
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_lying_operators_of_five_do_not_take_over_the_chain() -> Result<(), LocalError> {
    let mut federation = LocalFederation::start(config(NodeKind::Devnet)).await?;
    let script = stranger();
    let agreed = Agreed::default();
    let mut liars = Vec::new();
    for me in LIARS {
        let (messenger, identity) = federation.impersonate(me).await?;
        liars.push(Liar {
            me,
            federation: federation.federation().clone(),
            identity,
            block_key: SoftwareSigner::new(federation.block_key(me)),
            messenger,
            node: federation.node(me).clone(),
            liars: LIARS.to_vec(),
            forge: {
                let script = script.clone();
                Arc::new(move |block: &Block| propose(block, &script))
            },
            agreed: agreed.clone(),
        });
    }
    let mut events = federation.operator(0).expect("it runs").events();
    let mut named = [false; 2];
    let mut led = 0;
    // Until each is reported, and they have led at least four times.
    while named != [true; 2] || led < 4 {
        let status = federation
            .operator(0)
            .expect("it runs")
            .status()
            .borrow()
            .clone();
        for liar in &liars {
            for round in [status.round.to_u32(), status.round.to_u32() + 1] {
                liar.lie(status.height.to_u32(), round).await;
            }
        }
        while let Ok(event) = events.try_recv() {
            match event {
                OperatorEvent::Protocol(Event::Alarm(Alarm::ParametersProposed {
                    sender, ..
                })) => named[usize::from(sender.to_u8()) - 3] = true,
                OperatorEvent::Protocol(Event::Decided { height, .. }) => {
                    panic!("a block of the liars was decided at height {height}")
                }
                OperatorEvent::Protocol(Event::RoundEnded(report))
                    if LIARS.contains(&usize::from(report.leader.to_u8())) =>
                {
                    led += 1;
                }
                _ => {}
            }
        }
        assert_eq!(federation.check_one_chain().await?, 0, "a block came");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let counters = federation.operator(0).expect("it runs").status();
    assert!(counters.borrow().counters.bad_body > 0);
    federation.stop().await;
    Ok(())
}

/// Nodes accept any elided root in a compact header, even in `testproposedblock`: only the comparison with
/// the parameters in force at the operator's own node reveals it.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_elided_root_is_refused_and_the_chain_continues() -> Result<(), LocalError> {
    const LIAR: usize = 3;
    let config = LocalConfig::new(4, 3)
        .with_interval(Duration::from_millis(300))
        .with_absent(vec![LIAR]);
    let mut federation = LocalFederation::start(config).await?;
    let (messenger, identity) = federation.impersonate(LIAR).await?;
    let liar = Liar {
        me: LIAR,
        federation: federation.federation().clone(),
        identity,
        block_key: SoftwareSigner::new(federation.block_key(LIAR)),
        messenger,
        node: federation.node(LIAR).clone(),
        liars: vec![LIAR],
        forge: Arc::new(forge_elided_root),
        agreed: Agreed::default(),
    };
    let mut events = federation.operator(0).expect("it runs").events();
    let mut refused = 0;
    while refused < 2 {
        let status = federation
            .operator(0)
            .expect("it runs")
            .status()
            .borrow()
            .clone();
        liar.lie(status.height.to_u32(), status.round.to_u32())
            .await;
        while let Ok(event) = events.try_recv() {
            if let OperatorEvent::Protocol(Event::Refused { reason, .. }) = event {
                let Refusal::Invalid(why) = &reason else {
                    continue;
                };
                assert!(why.contains("has parameters with root"), "{why}");
                refused += 1;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let height = federation.check_one_chain().await?;
    federation.wait_for_height(height + 3, LIMIT).await?;
    let node = federation.node(0);
    let info = node.client().blockchain_info().await?;
    let in_force = info.current_params_root.expect("dynafed");
    for height in 1..=height + 3 {
        let block = block(node, height).await;
        let (current, _) = block.header().parameters().expect("dynafed");
        assert_eq!(ParamsRoot::of(current).to_string(), in_force, "{height}");
    }
    federation.stop().await;
    Ok(())
}
