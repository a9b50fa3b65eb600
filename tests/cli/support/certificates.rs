//! Certificates made at run time: an authority, and servers that it vouches for.

use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};

/// The year until which a good certificate is good.
pub const FAR_AWAY: i32 = 2200;

/// A certificate authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate of a server and its key.
pub struct Certificate {
    pub certificate: rcgen::Certificate,
    pub key: KeyPair,
}

impl Authority {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        // A name of its own: one authority with the name of another is a case apart.
        Self::named(&format!("Test authority {}", COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    /// An authority of this name.
    pub fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_after = date_time_ymd(FAR_AWAY, 1, 1);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    /// The authority's own certificate, as `--cafile` wants it.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for these names and addresses, good until the first day of a year.
    pub fn certify(&self, names: &[&str], until: i32) -> Certificate {
        self.certify_with(names, |params| params.not_after = date_time_ymd(until, 1, 1))
    }

    /// A certificate for these names and addresses that is special in some way.
    pub fn certify_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Certificate {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(FAR_AWAY, 1, 1);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Certificate { certificate, key }
    }
}
