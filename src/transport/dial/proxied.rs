//! Connects to a server through a proxy.

use std::time::Instant;

use super::{DialError, Dialled, Reached, Route, Turn, dial_directly, look_up};
use crate::transport::proxy::{ProxyError, Target, TunnelRequest, place};

/// Connects to the server of the request; `route` says how the proxy is reached.
pub fn dial(request: &TunnelRequest<'_>, route: &Route) -> Result<Dialled, DialError> {
    let TunnelRequest { proxy, endpoint, deadline, note, .. } = *request;
    let mut targets = targets(request, route)?.into_iter().peekable();
    loop {
        let reached = dial_directly(proxy.host(), proxy.port(), &Turn::AsResolved, route, deadline);
        let mut dialled = reached.map_err(|error| DialError::ProxyUnreached {
            proxy: proxy.to_string(),
            error: Box::new(error),
        })?;
        note(format_args!("* connected to {}, the proxy {proxy}", dialled.reached));
        let began = Instant::now();
        let target = targets.next().unwrap_or_else(|| Target::Name(endpoint.host.clone()));
        match request.open(&target, &dialled.socket) {
            Ok(tunnel) => {
                dialled.proxy = Some(began.elapsed());
                // Those of the proxy.
                dialled.untried = 0;
                (dialled.tunnel, dialled.early) = (tunnel.tls, tunnel.early);
                let server = place(&endpoint.host, endpoint.port);
                dialled.reached = Reached::Proxied { server, proxy: proxy.to_string() };
                return Ok(dialled);
            }
            // The next address of the same name may work.
            Err(error) if error.concerns_address() && targets.peek().is_some() => {}
            Err(error) => return Err(failed(request, error)),
        }
    }
}

fn failed(request: &TunnelRequest<'_>, error: ProxyError) -> DialError {
    DialError::Proxy { proxy: request.proxy.to_string(), error: Box::new(error) }
}

/// The server as the proxy is asked for it, in the order in which it is tried: a name, or the
/// addresses that the client has looked up.
fn targets(request: &TunnelRequest<'_>, route: &Route) -> Result<Vec<Target>, DialError> {
    let endpoint = request.endpoint;
    if request.proxy.looks_up_names() {
        return Ok(vec![Target::of(&endpoint.host)]);
    }
    let lookup = |error| DialError::Lookup { host: endpoint.host.clone(), error };
    let addresses = look_up(&endpoint.host, endpoint.port, route).map_err(lookup)?;
    Ok(addresses.iter().map(|address| Target::Address(address.ip())).collect())
}
