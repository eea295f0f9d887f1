//! Node URLs: credentials are removed before anything else sees them.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::{Auth, RpcError};

/// The path segment for a node's wallets.
const WALLETS: &str = "wallet";

/// Splits a URL into one without credentials, and its credentials.
pub(crate) fn parse(text: &str) -> Result<(Url, Auth), RpcError> {
    let refused = |reason: &str| RpcError::Url {
        url: redacted(text),
        reason: reason.to_owned(),
    };
    let mut url = Url::parse(text).map_err(|error| refused(&error.to_string()))?;
    // `localhost:7041` alone is a URL too, with the scheme `localhost`.
    if !url.has_host() {
        return Err(refused("it has no host"));
    }
    if url.scheme() != "http" {
        return Err(refused("the nodes only support http"));
    }
    let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let auth = match (url.username(), url.password()) {
        ("", None) => Auth::None,
        (user, password) => Auth::basic(decoded(user), decoded(password.unwrap_or_default())),
    };
    // These fail only for a URL without a host.
    if url.set_username("").is_err() || url.set_password(None).is_err() {
        return Err(refused("it cannot have credentials"));
    }
    Ok((url, auth))
}

/// Returns the URL of a wallet, given the URL of its node or of another of its wallets.
pub(crate) fn wallet(node: &Url, name: &str) -> Url {
    let mut url = node.clone();
    let depth = node.path_segments().map_or(0, |segments| {
        let segments: Vec<&str> = segments.collect();
        let wallets = segments.iter().rposition(|segment| *segment == WALLETS);
        wallets.map_or(0, |at| segments.len() - at)
    });
    // This fails only for a URL without a host.
    if let Ok(mut segments) = url.path_segments_mut() {
        for _ in 0..depth {
            segments.pop();
        }
        segments.pop_if_empty().push(WALLETS).push(name);
    }
    url
}

/// Returns the URL as displayed: without the slash of an empty path.
pub(crate) fn shown(url: &Url) -> String {
    let text = url.as_str();
    match url.path() {
        "/" => text.strip_suffix('/').unwrap_or(text).to_owned(),
        _ => text.to_owned(),
    }
}

/// Returns the displayable part of an unusable URL, which may contain credentials anywhere.
fn redacted(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['@', ':']) => (scheme, rest),
        _ => ("", text),
    };
    let shown = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if scheme.is_empty() {
        shown.to_owned()
    } else {
        format!("{scheme}://{shown}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeConfig;

    #[test]
    fn credentials_are_removed_from_urls() {
        let config = NodeConfig::new("http://user:s%40cret@localhost:7041/wallet/w");
        assert_eq!(config.public_url(), "http://localhost:7041/wallet/w");
        assert!(!format!("{config:?}").contains("cret"), "{config:?}");
        assert!(matches!(
            config.auth(),
            Auth::Basic { user, password } if user == "user" && password.as_str() == "s@cret"
        ));
        assert!(matches!(
            NodeConfig::new("http://h:1/a@b").auth(),
            Auth::None
        ));
        let given = config.with_auth(Auth::basic("other", "secret"));
        assert!(matches!(given.auth(), Auth::Basic { user, .. } if user == "other"));
        assert!(!format!("{given:?}").contains("cret"), "{given:?}");
    }

    #[test]
    fn errors_name_the_url_without_credentials() {
        for (text, shown) in [
            ("user:secret@localhost:7041", "localhost:7041"),
            ("localhost:7041", "localhost:7041"),
            ("127.0.0.1:7041", "127.0.0.1:7041"),
            (
                "http://user:secret@localhost:99999",
                "http://localhost:99999",
            ),
            (
                "http://user:sec/ret@localhost:7041",
                "http://localhost:7041",
            ),
            (
                "https://user:secret@localhost:7041",
                "https://localhost:7041",
            ),
            ("", ""),
        ] {
            let error = parse(text).expect_err(text);
            assert!(
                matches!(&error, RpcError::Url { url, .. } if url == shown),
                "{error}"
            );
            assert!(!format!("{error:?} {error}").contains("ret"), "{error}");
            assert_eq!(NodeConfig::new(text).public_url(), shown);
        }
    }

    #[test]
    fn wallets_have_urls_below_their_nodes() {
        let wallet_of = |node: &str, name| {
            let (url, _) = parse(node).expect("a url");
            shown(&wallet(&url, name))
        };
        assert_eq!(wallet_of("http://h:1", "w"), "http://h:1/wallet/w");
        assert_eq!(wallet_of("http://h:1/", ""), "http://h:1/wallet/");
        assert_eq!(wallet_of("http://h:1/wallet/v", "w"), "http://h:1/wallet/w");
        assert_eq!(wallet_of("http://h:1/wallet/", "w"), "http://h:1/wallet/w");
        assert_eq!(
            wallet_of("http://h:1/node%201", "a b/c%"),
            "http://h:1/node%201/wallet/a%20b%2Fc%25"
        );
    }
}
