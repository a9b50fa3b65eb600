//! Certificates made at run time, valid and invalid.

use super::*;

fn fault(identity: Identity, host: &str, tls: &TlsOptions) -> (CertificateFault, String) {
    let port = echo(server_config(identity));
    let error = connected(host, port, tls).err().expect("the certificate is refused");
    let words = error.to_string();
    match error {
        Error::Tls(TlsError::Certificate(fault)) => (fault, words),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_unknown_authority_is_told() {
    let identity = authority().identity(&["localhost"], |_| ());
    let (fault, words) = fault(identity, "localhost", &TlsOptions::default());
    let name = "CN=Test authority";
    let CertificateFault::UnknownIssuer(Some(untrusted)) = fault else { panic!("{fault:?}") };
    assert_eq!((untrusted.issuer.as_str(), untrusted.places), (name, GivenPlaces::None));
    assert_eq!(words, format!("certificate signed by an unknown authority ({name})"));
}

#[test]
fn a_certificate_out_of_its_time_is_told_with_the_date() {
    let authority = authority();
    let identity =
        authority.identity(&["localhost"], |params| params.not_after = date_time_ymd(2020, 2, 29));
    assert_eq!(
        fault(identity, "localhost", &authority.trusted()).1,
        "certificate expired on 2020-02-29"
    );
    let identity = authority
        .identity(&["localhost"], |params| params.not_before = date_time_ymd(2999, 12, 31));
    assert_eq!(
        fault(identity, "localhost", &authority.trusted()).1,
        "certificate not valid before 2999-12-31"
    );
}

#[test]
fn a_certificate_for_other_names_is_told_with_its_names() {
    let authority = authority();
    let identity = authority.identity(&["a.example", "10.0.0.1"], |_| ());
    let (_, words) = fault(identity, "localhost", &authority.trusted());
    assert_eq!(words, "certificate not valid for localhost, only for a.example, 10.0.0.1");
    let identity = authority.identity(&["a.example"], |_| ());
    let (_, words) = fault(identity, "127.0.0.1", &authority.trusted());
    assert_eq!(words, "certificate not valid for 127.0.0.1, only for a.example");
    let identity = authority.identity(&[], |_| ());
    let (fault, _) = fault(identity, "localhost", &authority.trusted());
    assert_eq!(
        fault,
        CertificateFault::NoNames {
            expected: "localhost".into(),
            common_name: Some("rcgen self signed cert".into())
        }
    );
}

#[test]
fn an_authority_used_as_a_server_is_trusted_where_it_was_given() {
    let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let file = TempFile::new(certificate.pem());
    let tls = trusting(&file);
    let identity = || Identity(certificate.der().clone(), key.serialize_der().try_into().unwrap());
    let mut client = connected("localhost", echo(server_config(identity())), &tls).unwrap();
    exchange(&mut client, 10);
    let (fault, words) = fault(identity(), "localhost", &authority().trusted());
    assert!(matches!(fault, CertificateFault::SelfSigned(_)), "{fault:?}");
    assert!(words.starts_with("certificate is self-signed ("), "{words}");
}

#[test]
fn authorities_that_cannot_be_used_name_the_file() {
    let certificate = authority().issuer.pem();
    let rows = [
        ("nothing here".to_owned(), "no certificate in CA file PATH"),
        (String::new(), "no certificate in CA file PATH"),
        (
            certificate.replace("-----END", "-----ENT"),
            "CA file PATH is not proper PEM: a section has no END line",
        ),
        (
            certificate.replacen("MII", "!!!", 1),
            "CA file PATH is not proper PEM: a section is not base64",
        ),
    ];
    for (content, words) in rows {
        let file = TempFile::new(content);
        let tls = TlsOptions { insecure: true, ..trusting(&file) };
        let error = TlsConfig::new(&tls).unwrap_err().to_string();
        assert_eq!(error.replace(&*file.0.to_string_lossy(), "PATH"), words);
    }
    let junk = TempFile::new("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let error = TlsConfig::new(&trusting(&junk)).unwrap_err();
    assert!(matches!(error, TlsSetupError::BadAuthority(..)), "{error}");
    let tls = TlsOptions { ca_files: vec!["/nowhere/ca.pem".into()], ..TlsOptions::default() };
    assert_eq!(
        TlsConfig::new(&tls).unwrap_err().to_string(),
        "cannot read CA file /nowhere/ca.pem: no such file"
    );
}

#[test]
fn a_host_that_cannot_be_a_tls_name_is_told() {
    let config = TlsConfig::new(&TlsOptions::default()).unwrap();
    assert_eq!(config.connection("a..b").unwrap_err(), TlsError::Name("a..b".into()));
    assert!(config.connection("fe80::1%eth0").is_ok());
}

#[test]
fn a_damaged_certificate_is_explained_without_a_panic() {
    use super::super::server_certificates::ServerCertificates;
    use rustls::CertificateError;
    let authority = authority();
    let Identity(leaf, _) = authority.identity(&["localhost"], |_| ());
    let roots = roots::roots(&authority.trusted()).unwrap();
    let explain = |der: Vec<u8>| {
        let der = CertificateDer::from(der);
        for error in [
            CertificateError::UnknownIssuer,
            CertificateError::BadSignature,
            CertificateError::NotValidYet,
            CertificateError::UnsupportedSignatureAlgorithmContext {
                signature_algorithm_id: Vec::new(),
                supported_algorithms: Vec::new(),
            },
            CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id: Vec::new(),
                public_key_algorithm_id: b"\x06\x03\x2b\x65\x71".to_vec(),
            },
        ] {
            let evidence = ServerCertificates::new(
                &der,
                std::slice::from_ref(&der),
                Some(&roots.store),
                roots.places,
            );
            let words = evidence.fault(error).to_string();
            assert!(
                words.starts_with("certificate ") && !words.contains(char::is_control),
                "{words}"
            );
        }
    };
    for length in 0..leaf.len() {
        explain(leaf[..length].to_vec());
    }
    for at in 0..leaf.len() {
        for bits in [0x01, 0x80, 0xff] {
            let mut der = leaf.to_vec();
            der[at] ^= bits;
            explain(der);
        }
    }
}
