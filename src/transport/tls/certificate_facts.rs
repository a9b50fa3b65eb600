//! What a server's certificate says of itself, for those who look closely. It must never judge it.

use std::fmt;

use super::fingerprint::Fingerprint;
use super::x509::Certificate;

/// Whose certificate it is, who vouches for it, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Whom it is of, safe to print.
    pub subject: String,
    /// Who signed it, as it says itself; safe to print.
    pub issuer: String,
    /// The first second of its validity, since 1970.
    pub not_before: u64,
    /// The last second of its validity, since 1970.
    pub not_after: u64,
    /// What `--pin-sha256` takes.
    pub fingerprint: Fingerprint,
}

impl CertificateFacts {
    /// Reads a certificate in DER; none if it cannot be read.
    pub fn read(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::read(der)?;
        Some(Self {
            subject: certificate.subject(),
            issuer: certificate.issuer(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            fingerprint: Fingerprint::of(der),
        })
    }
}

impl fmt::Display for CertificateFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, issuer, not_before, not_after, fingerprint } = self;
        let (from, until) = (Date(*not_before), Date(*not_after));
        write!(
            f,
            "subject {subject}, issuer {issuer}, valid {from} to {until}, SHA-256 {fingerprint}"
        )
    }
}

/// Seconds since 1970 as a date, `2026-01-31`.
pub struct Date(pub u64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Howard Hinnant's civil_from_days: eras of 400 years that begin in March.
        let days = self.0 / 86_400 + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}
