//! By which name a client calls this host.
//!
//! A page in somebody's browser can let its own name point to this host (DNS rebinding) and read what is served here as
//! if it came from the page. The browser says the name in `Host`, so only names that are this host's are answered. An
//! address cannot be rebound.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// The names of this host, in lower case.
#[derive(Clone, Debug, Default)]
pub struct Hosts(Arc<[String]>);

impl Hosts {
    /// These names, and `localhost`.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let names = names.into_iter().map(|name| name.trim_end_matches('.').to_ascii_lowercase());
        Self(names.chain(["localhost".to_owned()]).collect())
    }

    fn knows(&self, authority: &str) -> bool {
        let name = without_port(authority);
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let is_address = || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        self.0.contains(&name) || is_address()
    }
}

/// `host` of `host:port` and `[address]:port`.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port))
            if port.bytes().all(|digit| digit.is_ascii_digit()) && !is_bare_ipv6(authority) =>
        {
            host
        }
        _ => authority,
    }
}

fn is_bare_ipv6(authority: &str) -> bool {
    authority.parse::<std::net::Ipv6Addr>().is_ok()
}

/// What the client calls this host; `None`: nothing, as HTTP/1.0 may, and no browser does.
fn called<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> impl Iterator<Item = Result<&'a str, ()>> {
    let in_headers = headers.get_all(header::HOST).iter().map(|value| value.to_str().map_err(|_| ()));
    let in_uri = uri.authority().map(|authority| Ok(authority.as_str()));
    in_headers.chain(in_uri)
}

/// Answers 403 to who means another host.
pub(super) async fn check(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let is_ours = |name: Result<&str, ()>| name.is_ok_and(|name| hosts.knows(name));
    if called(request.headers(), request.uri()).all(is_ours) {
        return next.run(request).await;
    }
    let text = "this host is not known by that name; `http_hosts` in [api] lists names for clients\n";
    (StatusCode::FORBIDDEN, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_host_and_addresses_are_known_and_nothing_else() {
        let hosts = Hosts::new(["Node1.example".to_owned()]);
        for known in [
            "node1.example",
            "NODE1.EXAMPLE:9179",
            "node1.example.",
            "localhost",
            "localhost:9179",
            "127.0.0.1",
            "192.0.2.1:9179",
            "[::1]:9179",
            "[fd00::1]",
            "::1",
        ] {
            assert!(hosts.knows(known), "{known}");
        }
        for strange in
            ["evil.example", "evil.example:9179", "localhost.evil.example", "", ":9179", "1.2.3.4.evil"]
        {
            assert!(!hosts.knows(strange), "{strange}");
        }
    }
}
