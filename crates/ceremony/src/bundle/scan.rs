//! Finding secrets that must not leave an operator's machine.
//!
//! | secret | how it is recognised |
//! |---|---|
//! | private key in PEM, age identity, keystore | the header of the format |
//! | WIF, extended private key | Base58 with a valid checksum, and the right length and version |
//! | private key of a party | 64 digits whose public half is in the certificate |
//! | other private key | 64 digits alone on a line, or after a name that suggests a secret |
//! | password, PIN, token | a value after such a name; credentials in a URL |
//! | seed | 12 to 24 consecutive words of BIP 39 with a valid checksum |
//!
//! A hash also has 64 digits, so texts must write one after a name, as all files of a bundle do.

use bip39::{Language, Mnemonic};
use bitcoin::base58;
use secp256k1::{SECP256K1, SecretKey, XOnlyPublicKey};

/// The kind of secret that a line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Suspicion {
    /// A private key in PEM.
    Pem,
    /// An age identity, or a file encrypted with age: a keystore.
    Age,
    /// A private key in wallet import format.
    Wif,
    /// An extended private key.
    Extended,
    /// The private half of a key in the certificate.
    MemberKey,
    /// A private key in hexadecimal digits.
    HexKey,
    /// A password.
    Password,
    /// A user's name and password in a URL.
    Url,
    /// The words of a seed.
    Seed,
}

impl core::fmt::Display for Suspicion {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Pem => "a private key in PEM",
            Self::Age => "an age identity or keystore",
            Self::Wif => "a private key in WIF",
            Self::Extended => "an extended private key",
            Self::MemberKey => "the private half of a key of this federation",
            Self::HexKey => "a private key in hexadecimal digits",
            Self::Password => "a password, pass phrase, PIN or token",
            Self::Url => "a URL with credentials",
            Self::Seed => "the words of a seed",
        })
    }
}

/// A line that looks like a secret. The error does not show the line itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{file}:{line} looks like {suspicion}: remove it, and start a new ceremony if it is a secret, because all parties have seen it"
)]
pub struct Finding {
    file: String,
    line: usize,
    suspicion: Suspicion,
}

impl Finding {
    /// The name of the file in the bundle.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line number, from 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }

    /// The kind of secret that it looks like.
    #[must_use]
    pub const fn suspicion(&self) -> Suspicion {
        self.suspicion
    }
}

/// Searches a text for secrets, including the private halves of the keys in `public`.
///
/// # Errors
/// The first line that looks like a secret.
pub fn scan(file: &str, text: &str, public: &[XOnlyPublicKey]) -> Result<(), Finding> {
    for (index, line) in text.lines().enumerate() {
        // Text within JSON has escaped line ends and quotation marks.
        let parts = line
            .split("\\n")
            .flat_map(|part| part.split("\\r"))
            .map(|part| part.replace("\\\"", "\"").replace("\\t", " "));
        for part in parts {
            if let Some(suspicion) = examine(&part, public) {
                return Err(Finding {
                    file: file.to_owned(),
                    line: index + 1,
                    suspicion,
                });
            }
        }
    }
    Ok(())
}

fn examine(line: &str, public: &[XOnlyPublicKey]) -> Option<Suspicion> {
    if line.contains("-----BEGIN") && line.contains("PRIVATE KEY") {
        return Some(Suspicion::Pem);
    }
    let upper = line.to_ascii_uppercase();
    if upper.contains("AGE-SECRET-KEY-")
        || line.contains("-----BEGIN AGE ENCRYPTED FILE")
        || line.contains("age-encryption.org/")
    {
        return Some(Suspicion::Age);
    }
    let words: Vec<&str> = line
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    for word in &words {
        if let Some(suspicion) = base58_key(word) {
            return Some(suspicion);
        }
        if is_private_half(word, public) {
            return Some(Suspicion::MemberKey);
        }
    }
    if is_hex_key(line.trim_matches(|c: char| !c.is_ascii_alphanumeric())) {
        return Some(Suspicion::HexKey);
    }
    if has_credentials(line) {
        return Some(Suspicion::Url);
    }
    named_secret(line).or_else(|| is_seed(&words).then_some(Suspicion::Seed))
}

/// WIF has 33 or 34 bytes, an extended key 78 with a 0 before its private key.
fn base58_key(word: &str) -> Option<Suspicion> {
    if !(50..=120).contains(&word.len()) {
        return None;
    }
    let bytes = base58::decode_check(word).ok()?;
    match (bytes.len(), bytes.last()) {
        (33, _) | (34, Some(1)) => Some(Suspicion::Wif),
        (78, _) if bytes[45] == 0 => Some(Suspicion::Extended),
        _ => None,
    }
}

fn is_private_half(word: &str, public: &[XOnlyPublicKey]) -> bool {
    // A compressed public key has 66 digits, so it cannot be mistaken for a private key.
    word.len() == 64
        && word.parse::<SecretKey>().is_ok_and(|secret| {
            let (own, _) = secret.x_only_public_key(SECP256K1);
            public.contains(&own)
        })
}

fn is_hex_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `scheme://user:password@host`.
fn has_credentials(line: &str) -> bool {
    line.split("://").skip(1).any(|rest| {
        let end = rest.find(|c: char| c.is_whitespace() || "/\"'<>)`".contains(c));
        let authority = &rest[..end.unwrap_or(rest.len())];
        authority
            .rsplit_once('@')
            .is_some_and(|(user, _)| user.contains(':'))
    })
}

/// Parts of names that are followed by a secret.
const NAMES: [&str; 9] = [
    "rpcauth",
    "password",
    "passwd",
    "passphrase",
    "pass_phrase",
    "privkey",
    "private_key",
    "privatekey",
    "mnemonic",
];
/// Names that are followed by a secret, whole or after a `_`: they also occur within other words.
const WHOLE_NAMES: [&str; 10] = [
    "secret",
    "secret_key",
    "secretkey",
    "wif",
    "pin",
    "seed",
    "apikey",
    "api_key",
    "access_token",
    "xprv",
];
/// The beginnings of values that only refer to a secret elsewhere.
const REFERENCES: [&str; 7] = [
    "file:",
    "fd:",
    "env:",
    "credential:",
    "prompt",
    "./",
    "/run/secrets/",
];

/// `name = value`, `name: value` or `name=value`, where the name suggests a secret and the value is a
/// single word.
fn named_secret(line: &str) -> Option<Suspicion> {
    let line = line.trim_start_matches(|c: char| c.is_whitespace() || "#;-*`\"'".contains(c));
    let at = line.find(['=', ':'])?;
    let name = line[..at]
        .trim_matches(|c: char| c.is_whitespace() || c == '"')
        .to_ascii_lowercase();
    // `mainchain.rpcpassword`, the syntax for options in a section.
    let last = name.rsplit('.').next().unwrap_or(&name);
    let value = line[at + 1..].trim_matches(|c: char| c.is_whitespace() || "\"',`".contains(c));
    let is_name = !last.is_empty() && !last.contains(char::is_whitespace);
    let is_value = !value.is_empty() && !value.contains(char::is_whitespace);
    if !is_name || !is_value || REFERENCES.iter().any(|start| value.starts_with(start)) {
        return None;
    }
    let is_whole = |word: &&str| {
        last.strip_suffix(word)
            .is_some_and(|before| before.is_empty() || before.ends_with('_'))
    };
    // The name of a file with a secret is not a secret.
    let suggests_secret = !last.ends_with("file")
        && (WHOLE_NAMES.iter().any(is_whole) || NAMES.iter().any(|part| last.contains(part)));
    if suggests_secret {
        return Some(Suspicion::Password);
    }
    let is_key = last.contains("priv") || last == "key" || last.ends_with("_sk");
    (is_key && is_hex_key(value)).then_some(Suspicion::HexKey)
}

/// Whether some consecutive words form a seed.
fn is_seed(words: &[&str]) -> bool {
    let is_known = |word: &str| {
        Language::English
            .find_word(&word.to_ascii_lowercase())
            .is_some()
    };
    let mut run = 0;
    for (end, word) in words.iter().enumerate() {
        run = if is_known(word) { run + 1 } else { 0 };
        for count in [12, 15, 18, 21, 24] {
            if run >= count {
                let phrase = words[end + 1 - count..=end].join(" ").to_ascii_lowercase();
                if Mnemonic::parse_in_normalized(Language::English, &phrase).is_ok() {
                    return true;
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use secp256k1::Keypair;

    use super::*;

    fn suspicion(text: &str) -> Option<Suspicion> {
        scan("file", text, &[])
            .err()
            .map(|finding| finding.suspicion())
    }

    #[test]
    fn secrets_of_every_kind_are_found() {
        let hex = "7f".repeat(32);
        for (text, expected) in [
            ("-----BEGIN EC PRIVATE KEY-----", Suspicion::Pem),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", Suspicion::Pem),
            ("age-secret-key-1qqqq", Suspicion::Age),
            ("-----BEGIN AGE ENCRYPTED FILE-----", Suspicion::Age),
            (
                "key L1aW4aubDFB7yfras2S1mN3bqg9nwySY8nkoLmJebSLD5BWv3ENZ, said he",
                Suspicion::Wif,
            ),
            (
                "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",
                Suspicion::Wif,
            ),
            (
                "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi",
                Suspicion::Extended,
            ),
            (hex.as_str(), Suspicion::HexKey),
            (&format!("  \"{hex}\","), Suspicion::HexKey),
            (&format!("privkey={hex}"), Suspicion::Password),
            (&format!("key = \"{hex}\""), Suspicion::HexKey),
            ("rpcpassword=hunter2", Suspicion::Password),
            ("main.rpcpassword = hunter2", Suspicion::Password),
            ("mainchainrpcpassword=hunter2", Suspicion::Password),
            ("rpcauth=me:0a$0b", Suspicion::Password),
            ("# rpcpassword=hunter2", Suspicion::Password),
            ("pin = \"1234\"", Suspicion::Password),
            ("client_secret: abc", Suspicion::Password),
            ("\"sasl.password\" = \"x\"", Suspicion::Password),
            ("see http://me:hunter2@host/x", Suspicion::Url),
            (
                "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
                Suspicion::Seed,
            ),
        ] {
            assert_eq!(suspicion(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn public_values_are_not_taken_for_secrets() {
        let hex = "7f".repeat(32);
        for text in [
            &format!("genesis = \"{hex}\""),
            &format!("{hex}  node/elements.conf"),
            &format!("identity = \"{hex}\""),
            &format!("block_key = \"02{hex}\""),
            &format!("02{hex}"),
            "passphrase = \"file:keys/passphrase\"",
            "# passphrase = \"credential:passphrase\"",
            "password_file = \"rpcpassword\"",
            "The pass phrase: nobody may know it.",
            "Token holders: all of them are bound by these terms.",
            "see https://example.com/a@b:c and http://127.0.0.1:7041",
            "1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
            "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8",
            "file: ./keys/passphrase",
            "secretprefix=239",
            "Token: DGLD",
            "SWIFT: DEUTDEFF",
            "Secretary: Smith",
        ] {
            assert_eq!(suspicion(text), None, "{text}");
        }
    }

    #[test]
    fn the_line_is_reported_and_the_private_half_of_a_known_key_is_found_anywhere() {
        let secret = "7f".repeat(32);
        let pair = Keypair::from_seckey_str(SECP256K1, &secret).expect("a key");
        let text = format!("one\ntwo\nthe number {secret} of old\n");
        assert_eq!(scan("x", &text, &[]), Ok(()));
        let finding = scan("x", &text, &[pair.x_only_public_key().0]).expect_err("a secret");
        assert_eq!(
            (finding.file(), finding.line(), finding.suspicion()),
            ("x", 3, Suspicion::MemberKey)
        );
        assert!(!finding.to_string().contains(&secret));
    }

    #[test]
    fn text_within_json_is_searched_too() {
        let text = "{\n\"terms\": \"fine\\nrpcpassword=abc\\nfine\"\n}\n";
        let finding = scan("certificate.json", text, &[]).expect_err("a secret");
        assert_eq!(finding.line(), 2);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_scan_panic(text in ".{0,300}") {
            let _ = scan("x", &text, &[]);
        }

        #[test]
        fn every_wif_is_found(secret in proptest::array::uniform32(1u8..255), compressed: bool) {
            let mut bytes = vec![239];
            bytes.extend(secret);
            if compressed {
                bytes.push(1);
            }
            let text = format!("a {} b", base58::encode_check(&bytes));
            proptest::prop_assert_eq!(suspicion(&text), Some(Suspicion::Wif));
        }
    }
}
