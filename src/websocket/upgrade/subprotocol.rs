//! Decides which subprotocols in a response are accepted, accepted with a warning, or refused.

use super::error::{BadUpgrade, UpgradeError};
use super::{shortened, tokens};

/// Checks `answered` against `offered`. A warning describes the deviation that was accepted.
pub fn judge(
    offered: &[String],
    answered: Option<&str>,
    strict: bool,
) -> Result<Option<String>, UpgradeError> {
    // Some servers send the header without a value.
    let answered = answered.filter(|name| !name.is_empty());
    let refuse = |tolerable| {
        let answered = answered.map(|name| shortened(name, 100));
        Err(UpgradeError::Bad(BadUpgrade::Subprotocol {
            offered: offered.to_vec(),
            answered,
            tolerable,
        }))
    };
    match tolerated(offered, answered) {
        Verdict::Asked => Ok(None),
        Verdict::Tolerable(_) if strict => refuse(true),
        Verdict::Tolerable(warning) => Ok(Some(warning)),
        Verdict::Foreign => refuse(false),
    }
}

enum Verdict {
    Asked,
    Tolerable(String),
    Foreign,
}

fn tolerated(offered: &[String], answered: Option<&str>) -> Verdict {
    let Some(answered) = answered else {
        return if offered.is_empty() {
            Verdict::Asked
        } else {
            Verdict::Tolerable(format!(
                "the server confirmed no subprotocol (offered: {})",
                offered.join(", ")
            ))
        };
    };
    let is_offered = |name: &str| offered.iter().any(|offer| offer.eq_ignore_ascii_case(name));
    let is_ours = |name: &str| is_offered(name) || is_mqtt(name);
    let shown = shortened(answered, 100);
    if offered.iter().any(|offer| offer == answered) {
        Verdict::Asked
    } else if is_offered(answered) {
        Verdict::Tolerable(format!(
            "the server answered subprotocol \"{shown}\" in another letter case"
        ))
    } else if answered.contains(',') && tokens(answered).any(is_ours) {
        Verdict::Tolerable(format!("the server answered a list of subprotocols: \"{shown}\""))
    } else if is_mqtt(answered) && !answered.contains(',') {
        Verdict::Tolerable(format!(
            "the server answered subprotocol \"{shown}\", which was not offered"
        ))
    } else {
        Verdict::Foreign
    }
}

/// Whether this is a name of MQTT: `mqtt`, `mqttv3.1`, `MQTT` and the like.
fn is_mqtt(name: &str) -> bool {
    name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("mqtt"))
}
