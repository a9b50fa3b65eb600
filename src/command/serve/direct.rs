//! The variables by which a command reaches the broker directly where the environment names a
//! proxy.

use std::ffi::OsString;

/// The variables with the hosts that are reached without a proxy. Some programs read the first one
/// first, some the second, and some only one of them.
const EXEMPT: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The hosts of a broker on this machine.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The variables that a command gets in addition to this environment: none if that names no proxy.
pub fn variables(
    environment: impl Iterator<Item = (OsString, OsString)>,
    url: &str,
) -> Vec<(&'static str, OsString)> {
    let proxies = environment.filter(|(name, value)| !value.is_empty() && is_of_proxy(name));
    let (exempt, proxies): (Vec<_>, Vec<_>) =
        proxies.partition(|(name, _)| EXEMPT.iter().any(|exempt| name == exempt));
    if proxies.is_empty() {
        return Vec::new();
    }
    let value = |name| exempt.iter().find(|(given, _)| given == name).map(|(_, value)| value);
    let [lower, upper] = EXEMPT;
    let extended = |name, other| {
        let mut list = value(name).or(value(other)).cloned().unwrap_or_default();
        // As a part of a list it would not mean every host.
        if list != "*" {
            hosts(url).for_each(|host| {
                list.push(if list.is_empty() { "" } else { "," });
                list.push(host);
            });
        }
        (name, list)
    };
    vec![extended(lower, upper), extended(upper, lower)]
}

/// Whether this variable names a proxy, as `https_proxy` does, or hosts that need none.
fn is_of_proxy(name: &OsString) -> bool {
    name.to_str().is_some_and(|name| name.to_ascii_lowercase().ends_with("_proxy"))
}

/// What clients may call the broker.
fn hosts(url: &str) -> impl Iterator<Item = &str> {
    let authority = url.split('/').nth(2).unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    LOOPBACK.into_iter().chain(Some(host).filter(|host| !LOOPBACK.contains(host)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extended(environment: &[(&str, &str)], url: &str) -> Vec<(&'static str, String)> {
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
        let text = |(name, value): (_, OsString)| (name, value.into_string().expect("a text"));
        variables(environment, url).into_iter().map(text).collect()
    }

    fn both(lower: &str, upper: &str) -> Vec<(&'static str, String)> {
        vec![("no_proxy", lower.to_owned()), ("NO_PROXY", upper.to_owned())]
    }

    const URL: &str = "ws://127.0.0.1:1883/mqtt";
    const USUAL: &str = "localhost,127.0.0.1,::1";

    #[test]
    fn without_a_proxy_nothing_changes() {
        for environment in [
            &[][..],
            &[("PATH", "/bin"), ("no_proxy", "example.org")],
            &[("https_proxy", "")],
            &[("NO_PROXY", "*"), ("proxy", "x")],
        ] {
            assert_eq!(extended(environment, URL), [], "{environment:?}");
        }
    }

    #[test]
    fn the_broker_is_added_to_both_lists() {
        for name in ["http_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "ws_proxy"] {
            assert_eq!(extended(&[(name, "http://proxy:3128")], URL), both(USUAL, USUAL));
        }
        let one = [("https_proxy", "http://p"), ("NO_PROXY", "a,b")];
        let list = format!("a,b,{USUAL}");
        assert_eq!(extended(&one, URL), both(&list, &list));
        let two = [("https_proxy", "http://p"), ("NO_PROXY", "a"), ("no_proxy", "b")];
        assert_eq!(extended(&two, URL), both(&format!("b,{USUAL}"), &format!("a,{USUAL}")));
    }

    #[test]
    fn every_host_stays_every_host() {
        let all = [("https_proxy", "http://p"), ("no_proxy", "*")];
        assert_eq!(extended(&all, URL), both("*", "*"));
    }

    #[test]
    fn an_address_of_its_own_is_added() {
        let proxy = [("all_proxy", "socks5://p")];
        for (url, host) in
            [("ws://192.0.2.7:80/mqtt", "192.0.2.7"), ("wss://[2001:db8::1]:9/mqtt", "2001:db8::1")]
        {
            let list = format!("{USUAL},{host}");
            assert_eq!(extended(&proxy, url), both(&list, &list));
        }
        let list = USUAL.to_owned();
        assert_eq!(extended(&proxy, "ws://[::1]:9/mqtt"), both(&list, &list));
    }
}
