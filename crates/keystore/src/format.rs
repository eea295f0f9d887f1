//! The text of a keystore file: a header in clear text, and an age file.

use core::fmt;
use std::{
    io::{Read, Write},
    path::Path,
};

use age::{
    DecryptError, Decryptor, Encryptor,
    armor::{ArmoredReader, ArmoredWriter, Format},
    scrypt,
};
use federation_signer::{KeyRole, Secret};
use secp256k1::PublicKey;
use zeroize::Zeroizing;

use crate::{KeystoreError, Passphrase};

const FIRST_LINE: &str = "federation key 1";
const ROLE: &str = "role: ";
const PUBLIC_KEY: &str = "public key: ";

/// The maximum size of the plain text in bytes: a role, a space and 64 digits.
const MAX_PLAIN: usize = 128;

/// The header of a keystore file, in clear text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    role: KeyRole,
    public_key: PublicKey,
}

impl Head {
    pub(crate) const fn new(role: KeyRole, public_key: PublicKey) -> Self {
        Self { role, public_key }
    }

    /// Returns the key's role.
    #[must_use]
    pub const fn role(&self) -> KeyRole {
        self.role
    }

    /// Returns the public key.
    #[must_use]
    pub const fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// Parses the header and returns it with the rest of the text.
    pub(crate) fn parse(text: &str) -> Result<(Self, &str), &'static str> {
        let mut lines = text.splitn(5, '\n').map(|line| line.trim_end_matches('\r'));
        if lines.next() != Some(FIRST_LINE) {
            return Err("it does not start with `federation key 1`");
        }
        let role = lines
            .next()
            .and_then(|line| line.strip_prefix(ROLE))
            .and_then(|role| role.parse().ok())
            .ok_or("its second line does not name a role")?;
        let public_key = lines
            .next()
            .and_then(|line| line.strip_prefix(PUBLIC_KEY))
            .filter(|key| key.len() == 66)
            .and_then(|key| key.parse().ok())
            .ok_or("its third line does not contain a compressed public key")?;
        if lines.next() != Some("") {
            return Err("its header is not followed by an empty line");
        }
        let body = lines.next().ok_or("its header is not followed by a key")?;
        Ok((Self { role, public_key }, body))
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, public_key } = self;
        writeln!(f, "{FIRST_LINE}\n{ROLE}{role}\n{PUBLIC_KEY}{public_key}\n")
    }
}

/// The work of trying a pass phrase: scrypt with N = 2^factor, and N KiB of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkFactor(u8);

impl WorkFactor {
    /// The highest accepted work factor of a file: 256 MiB.
    pub(crate) const HIGHEST: u8 = 18;

    /// Returns a factor for tests, with which pass phrases are easily guessed.
    #[must_use]
    pub const fn insecure_for_tests() -> Self {
        Self(2)
    }
}

impl Default for WorkFactor {
    /// Returns a factor of 128 MiB and about half a second, the minimum that OWASP recommends for stored
    /// passwords.
    fn default() -> Self {
        Self(17)
    }
}

/// Returns the whole text of a keystore file.
pub(crate) fn encrypt(
    head: &Head,
    secret: &Secret,
    passphrase: &Passphrase,
    factor: WorkFactor,
) -> Result<String, KeystoreError> {
    let failed = |error: &dyn fmt::Display| KeystoreError::Encrypt(error.to_string());
    let mut plain = Zeroizing::new(String::with_capacity(MAX_PLAIN));
    plain.push_str(head.role.as_str());
    plain.push(' ');
    plain.push_str(&secret.to_hex());
    let mut recipient = scrypt::Recipient::new(passphrase.to_age());
    recipient.set_work_factor(factor.0);
    let encryptor = Encryptor::with_recipients(core::iter::once(&recipient as &dyn age::Recipient))
        .map_err(|error| failed(&error))?;
    let mut text = head.to_string().into_bytes();
    let armored = ArmoredWriter::wrap_output(&mut text, Format::AsciiArmor)
        .map_err(|error| failed(&error))?;
    let mut writer = encryptor
        .wrap_output(armored)
        .map_err(|error| failed(&error))?;
    writer
        .write_all(plain.as_bytes())
        .and_then(|()| writer.finish())
        .and_then(ArmoredWriter::finish)
        .map_err(|error| failed(&error))?;
    String::from_utf8(text).map_err(|error| failed(&error))
}

/// Decrypts the text of a keystore file.
pub(crate) fn decrypt(
    path: &Path,
    text: &str,
    passphrase: &Passphrase,
) -> Result<(Head, Secret), KeystoreError> {
    let format = |reason| KeystoreError::Format {
        path: path.to_owned(),
        reason,
    };
    let (head, body) = Head::parse(text).map_err(format)?;
    let mut identity = scrypt::Identity::new(passphrase.to_age());
    identity.set_max_work_factor(WorkFactor::HIGHEST);
    let classify = |error: DecryptError| match error {
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            KeystoreError::WrongPassphrase(path.to_owned())
        }
        DecryptError::ExcessiveWork { required, .. } => KeystoreError::ExcessiveWork {
            path: path.to_owned(),
            required,
            allowed: WorkFactor::HIGHEST,
        },
        DecryptError::NoMatchingKeys => format("it is not encrypted with a pass phrase"),
        _ => format("its encrypted part is damaged"),
    };
    let decryptor =
        Decryptor::new_buffered(ArmoredReader::new(body.as_bytes())).map_err(classify)?;
    let reader = decryptor
        .decrypt(core::iter::once(&identity as &dyn age::Identity))
        .map_err(classify)?;
    let mut plain = Zeroizing::new(Vec::with_capacity(MAX_PLAIN + 1));
    reader
        .take(MAX_PLAIN as u64 + 1)
        .read_to_end(&mut plain)
        .map_err(|_| format("its encrypted part is damaged"))?;
    let (role, hex) = core::str::from_utf8(&plain)
        .ok()
        .and_then(|plain| plain.split_once(' '))
        .ok_or_else(|| format("its encrypted part is not a key"))?;
    let secret = Secret::from_hex(hex).map_err(|_| format("its encrypted part is not a key"))?;
    if role != head.role.as_str() || secret.public_key() != head.public_key {
        return Err(KeystoreError::AlteredHead(path.to_owned()));
    }
    Ok((head, secret))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head() -> Head {
        Head::new(KeyRole::Peg, Secret::generate().public_key())
    }

    #[test]
    fn a_header_can_be_parsed_again() {
        let head = head();
        let text = format!("{head}rest\nof it");
        assert_eq!(Head::parse(&text), Ok((head, "rest\nof it")));
        let windows = text.replace('\n', "\r\n");
        assert_eq!(Head::parse(&windows), Ok((head, "rest\r\nof it")));
    }

    proptest! {
        #[test]
        fn arbitrary_text_causes_no_panic(text in "\\PC{0,200}", cut in 0_usize..200) {
            let _ = Head::parse(&text);
            let whole = format!("{}{text}", head());
            let cut = whole.floor_char_boundary(cut);
            let _ = Head::parse(&whole[..cut]);
            let passphrase = Passphrase::new(Zeroizing::new("x".to_owned()));
            prop_assert!(decrypt(Path::new("x"), &whole, &passphrase).is_err());
        }
    }
}
