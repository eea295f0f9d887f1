//! The members of a federation, its threshold and its identity, and the signed envelope that
//! carries their messages.
//!
//! [`Federation::new`] checks once what everything else relies on: that the operators are distinct,
//! that their keys are those of the script, and that more than half must sign. An [`Envelope`]
//! carries a payload that is opaque to this crate, signed by its sender's identity key over a
//! tagged hash ([BIP 340](https://github.com/bitcoin/bips/blob/master/bip-0340.mediawiki)). The
//! crate does no I/O; messengers move the bytes, and `federation-block-signing` interprets them.
//!
//! ```
//! use federation_roster::{EnvelopeHead, FederationId, OperatorId, Round, UnsignedEnvelope};
//! use federation_chain::BlockHeight;
//! use secp256k1::{Keypair, SECP256K1};
//!
//! let identity = Keypair::from_seckey_slice(SECP256K1, &[7; 32])?;
//! let unsigned = UnsignedEnvelope {
//!     head: EnvelopeHead {
//!         federation: FederationId::from_bytes([1; 32]),
//!         sender: OperatorId::new(0),
//!         kind: 2,
//!         height: BlockHeight::new(9),
//!         round: Round::FIRST,
//!     },
//!     payload: b"hello".as_slice().into(),
//! };
//! let signature = SECP256K1.sign_schnorr_no_aux_rand(&unsigned.message(), &identity);
//! let envelope = unsigned.with_signature(signature.serialize());
//! assert!(envelope.verify(&identity.x_only_public_key().0).is_ok());
//! # Ok::<(), secp256k1::Error>(())
//! ```

mod envelope;
mod federation;
mod id;

pub use envelope::{
    Envelope, EnvelopeError, EnvelopeHead, MAX_PAYLOAD, SIGNATURE_LEN, UnsignedEnvelope,
};
pub use federation::{Federation, FederationError, Member};
pub use id::{FederationId, OperatorId, Round};
pub use secp256k1::XOnlyPublicKey;
