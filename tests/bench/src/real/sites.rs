//! A broker that speaks ws and wss.

use std::fs;
use std::path::PathBuf;

use super::plans::BrokerName;
use crate::Failure;
use crate::brokers::Entrant;
use crate::honest::Bench;
use crate::stream::Identity;

/// A broker that runs, and where.
pub struct Site {
    /// For ws, and for wss.
    ports: [u16; 2],
    folder: PathBuf,
    /// They end with it.
    _brokers: Vec<Entrant>,
}

impl Site {
    /// Starts it.
    pub fn start(broker: BrokerName, bench: &Bench) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("mqttws-real-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let identity = Identity::new()?;
        for (name, content) in [
            ("authority.pem", &identity.authority),
            ("own.pem", &identity.certificate),
            ("own.key", &identity.key),
        ] {
            fs::write(folder.join(name), content)?;
        }
        let path = |name: &str| folder.join(name).display().to_string();
        let (brokers, ports) = match broker {
            BrokerName::Serve => {
                let tls = ["--cert", &path("own.pem"), "--key", &path("own.key")];
                let plain = Entrant::serve(&bench.program)?;
                let secure = Entrant::serve_with(&bench.program, &tls)?;
                let ports = [plain.port(), secure.port()];
                (vec![plain, secure], ports)
            }
            BrokerName::Mosquitto => {
                let broker = Entrant::mosquitto_as(&identity, &folder.display().to_string())?;
                let ports = [broker.port(), broker.secure_port().ok_or("no port for TLS")?];
                (vec![broker], ports)
            }
        };
        Ok(Self { ports, folder, _brokers: brokers })
    }

    /// Its address.
    pub fn url(&self, is_tls: bool) -> String {
        let scheme = if is_tls { "wss" } else { "ws" };
        format!("{scheme}://127.0.0.1:{}/mqtt", self.ports[usize::from(is_tls)])
    }

    /// By which flags it is trusted.
    pub fn trust(&self, is_tls: bool) -> String {
        let authority = self.folder.join("authority.pem");
        if is_tls { format!("--cafile {}", authority.display()) } else { String::new() }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // What is left there is of no use.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
