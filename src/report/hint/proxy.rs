//! Hints for failures at a proxy.

use super::tls;
use crate::transport::proxy::{ProxyError, SocksFault};
use crate::transport::tls::TlsError;
use crate::websocket::upgrade::{HttpResponse, NotHttp, UpgradeError};

/// The hint of an error at a proxy.
pub(super) fn hint(error: &ProxyError) -> Option<&'static str> {
    match error {
        ProxyError::Tls(TlsError::Protocol(_) | TlsError::Closed) => {
            Some("try http:// for the proxy")
        }
        ProxyError::Tls(
            TlsError::ClientCertificateRequired | TlsError::ClientCertificateMissed,
        ) => Some("--cert is for the server alone: no certificate is shown to a proxy"),
        ProxyError::Tls(error) => tls::hint(error),
        ProxyError::Http(UpgradeError::Status(refusal)) => status_hint(refusal),
        ProxyError::Http(UpgradeError::NotHttp(NotHttp::Tls)) => Some("try https:// for the proxy"),
        ProxyError::Http(UpgradeError::Closed | UpgradeError::NotHttp(_)) => {
            Some("is it an HTTP proxy? write socks5:// for a SOCKS proxy")
        }
        ProxyError::Socks(SocksFault::NotSocks(_)) => {
            Some("is it a SOCKS proxy? write http:// for an HTTP proxy")
        }
        ProxyError::Socks(SocksFault::NoMethod { offered_credentials: false }) => {
            Some("give them: socks5://USER:PASSWORD@HOST:PORT")
        }
        _ => None,
    }
}

fn status_hint(refusal: &HttpResponse) -> Option<&'static str> {
    match refusal.status {
        401 | 407 if refusal.lacks_basic() => Some(
            "mqttws supports only Basic authentication: enable it in the proxy, or use \
             another proxy",
        ),
        401 | 407 => Some("give its user name and password: http://USER:PASSWORD@HOST:PORT"),
        400 | 404 | 501 => {
            Some("is it a proxy at all? check --proxy, or $https_proxy and the like")
        }
        403 | 405 => Some("many proxies allow port 443 only; --no-proxy connects without a proxy"),
        502..=504 => Some("the proxy cannot reach the server"),
        _ => None,
    }
}
