//! Every escape, alone and with flags, as `mosquitto_sub` 2.0.11 prints it (tests/interop runs both
//! side by side); those of 2.1 as its source says.

use bytes::{Bytes, BytesMut};

use super::{FormatError, Template};
use crate::format::escape::ControlCharacters;
use crate::format::json::Style;
use crate::format::time::tests::tuesday;
use crate::mqtt::packet::{PacketId, Publish};
use crate::mqtt::property::{Properties, Property, PropertyId};
use crate::mqtt::qos::QoS;
use crate::mqtt::topic::TopicName;

fn bare(payload: &'static [u8]) -> Publish {
    Publish {
        topic: TopicName::new("t").ok(),
        payload: Bytes::from_static(payload),
        ..Publish::default()
    }
}

fn full(payload: &'static [u8]) -> Publish {
    Publish {
        qos: QoS::AtLeastOnce,
        retain: true,
        packet_id: PacketId::new(12),
        properties: Properties(vec![
            Property::user("a".into(), "b".into()),
            Property::text(PropertyId::ContentType, "x".into()),
            Property::binary(PropertyId::CorrelationData, Bytes::from_static(b"zz")),
            Property::text(PropertyId::ResponseTopic, "r/s".into()),
            Property::number(PropertyId::PayloadFormatIndicator, 1),
            Property::number(PropertyId::MessageExpiryInterval, 7),
            Property::user("a".into(), "c".into()),
            Property::number(PropertyId::SubscriptionIdentifier, 5),
            Property::number(PropertyId::TopicAlias, 3),
        ]),
        ..bare(payload)
    }
}

fn rendered(format: &str, publish: &Publish) -> (Result<(), FormatError>, Vec<u8>) {
    let template =
        Template::parse(format, Style::CJson, ControlCharacters::Unchanged).expect(format);
    let mut out = BytesMut::new();
    (template.render(publish, Some(&tuesday()), &mut out), out.to_vec())
}

fn text(format: &str, publish: &Publish) -> String {
    let (result, bytes) = rendered(format, publish);
    assert_eq!(result, Ok(()), "{format}");
    String::from_utf8(bytes).expect("text")
}

#[test]
fn what_is_there_is_shown() {
    for (format, expected) in [
        ("%A|%4A|%04A|%-4A|", "3|   3|0003|3   |"),
        ("%C|%3C|%-3C|%.0C|%03C|", "x|  x|x  ||  x|"),
        ("%D|%5D|", "zz|zz|"),
        ("%E|%3E|%03E|", "7|  7|007|"),
        ("%F|%3F|", "1|  1|"),
        ("%I|%27I|%.10I|", "2026-02-03T04:05:06+0200|   2026-02-03T04:05:06+0200|2026-02-03|"),
        ("%l|%5l|%05l|%-5l|", "6|    6|00006|6    |"),
        ("%m|%4m|", "12|  12|"),
        ("%P|", "a:b a:c|"),
        ("%q%9q|%r%9r|", "11|11|"),
        ("%R|%5R|%-5R|%.1R|", "r/s|  r/s|r/s  |r|"),
        ("%S|%3S|", "5|  5|"),
        ("%U", "1770084306.000700008"),
        ("%%|%5%|@@|\\\\|\\0\\a\\e\\n\\r\\t\\v", "%|%|@|\\|\0\x07\x1b\n\r\t\x0b"),
        ("@Y-@m-@d @H:@M:@S.@N @Q @é", "2026-02-03 04:05:06.000700008 %Q %é"),
        ("ü %t", "ü t"),
    ] {
        assert_eq!(text(format, &full(b"abcdef")), expected, "{format}");
    }
}

#[test]
fn what_is_not_there_is_blank() {
    for (format, expected) in [
        ("%A|%3A|%03A|%-3A|", "|   |000|   |"),
        ("%C|%3C|%03C|%D|%3D|%P|%3P|", "|   |   |||||"),
        ("%E|%3E|%F|%3F|%S|%3S|", "|   ||   ||   |"),
        ("%R|%3R|", "||"),
        ("%m|%q|%r|", "0|0|0|"),
    ] {
        assert_eq!(text(format, &bare(b"")), expected, "{format}");
    }
}

#[test]
fn payloads_and_topics_are_padded_and_cut() {
    for (format, expected) in [
        (
            "%p|%5p|%-9p|%09p|%012p|%.3p|%3.2p|",
            "abcdef|abcde|abcdef   |000abcdef|000000abcdef|abcdef|abc|",
        ),
        (
            "%x|%5x|%X|%-9x|%014x|%14x|%-14x|%.2x|",
            "616263646566|6162636465|616263646566|616263646566|00616263646566|  616263646566|616263646566  |\
             61 62 63 64 65 66|",
        ),
        ("%.2:x|%.4 X|%.1-x|", "61:62:63:64:65:66|6162 6364 6566|6-1-6-2-6-3-6-4-6-5-6-6|"),
        (
            "%.0x|%.1X|%16.4;x|%-14.6;x|",
            "616263646566|6 1 6 2 6 3 6 4 6 5 6 6|    ;6162;6364;6566|616263;646566  |",
        ),
        ("%10t|%-10t|%010t|%.0t|%5.1t|%-5.1t|", "         t|t         |         t||    t|t    |"),
    ] {
        assert_eq!(text(format, &bare(b"abcdef")), expected, "{format}");
    }
    assert_eq!(text("%x%X", &bare(b"\x0f\xaf")), "0faf0FAF");
    assert_eq!(rendered("%p", &bare(b"\xff\0")).1, b"\xff\0");
}

#[test]
fn floating_point_numbers() {
    let (single, double) = (bare(b"\0\0\x20\xc1"), bare(b"\0\0\0\0\0\0\xf8\x3f"));
    assert_eq!(
        text("%f|%.1f|%8.2f|%08.2f|%-8.2f|", &single),
        "-10.000000|-10.0|  -10.00|-0010.00|-10.00  |"
    );
    assert_eq!(text("%d|%.0d|", &double), "1.500000|2|");
    assert_eq!(
        rendered("[%f]", &double),
        (Err(FormatError::NotFloat { bytes: 4 }), b"[]".to_vec())
    );
    assert_eq!(
        rendered("[%d]", &bare(b"")),
        (Err(FormatError::NotFloat { bytes: 8 }), b"[]".to_vec())
    );
}

#[test]
fn json_as_mosquitto_has_it() {
    let head =
        r#"{"tst":"2026-02-03T04:05:06.000700Z+0200","topic":"t","qos":0,"retain":0,"payloadlen":"#;
    for (format, payload, expected) in [
        ("%j", &b"he\"l/\\lo\n\x01"[..], r#"10,"payload":"he\"l/\\lo\n\u0001"}"#),
        ("%j", b"", r#"0,"payload":null}"#),
        ("%J", b"", r#"0,"payload":null}"#),
        ("%j", b"a\0b", r#"3,"payload":"a"}"#),
        ("%J", b"{\"b\" : [1,2.50] }", r#"17,"payload":{"b":[1,2.5]}}"#),
    ] {
        assert_eq!(text(format, &bare(payload)), format!("{head}{expected}"), "{format}");
    }
    let expected = r#"{"tst":"2026-02-03T04:05:06.000700Z+0200","topic":"t","qos":1,"retain":1,"payloadlen":1,"mid":12,"properties":{"user-properties":[{"a":"b"},{"a":"c"}],"content-type":"x","correlation-data":"zz","response-topic":"r/s","payload-format-indicator":1,"message-expiry-interval":7,"subscription-identifier":5,"topic-alias":3},"payload":"x"}"#;
    assert_eq!(text("%j", &full(b"x")), expected);
    assert_eq!(rendered("[%J]", &bare(b"no")), (Err(FormatError::NotJson), b"[]".to_vec()));
}

#[test]
fn pretty_json_has_tabs() {
    let template =
        Template::parse("%j", Style::CJsonPretty, ControlCharacters::Unchanged).expect("a format");
    let mut out = BytesMut::new();
    assert_eq!(template.render(&bare(b"x"), Some(&tuesday()), &mut out), Ok(()));
    assert!(out.ends_with(b",\n\t\"payloadlen\":\t1,\n\t\"payload\":\t\"x\"\n}"), "{out:?}");
}

#[test]
fn only_what_the_broker_sent_is_made_harmless() {
    let template = Template::parse("\\e[1m%p %x %j", Style::CJson, ControlCharacters::Escaped)
        .expect("a format");
    let mut out = BytesMut::new();
    assert_eq!(template.render(&bare(b"\x1b\x7f"), Some(&tuesday()), &mut out), Ok(()));
    let text = String::from_utf8(out.to_vec()).expect("text");
    assert!(text.starts_with("\x1b[1m\\x1b\\x7f 1b7f {"), "{text}");
    assert!(text.ends_with(r#""payload":"\u001b\u007f"}"#), "{text}");
}

#[test]
fn formats_that_make_no_sense_are_told() {
    for (format, wrong) in [
        ("%Z", "%Z is unknown"),
        ("%05ü", "%ü is unknown"),
        ("%05|", "in the middle of a % escape"),
        ("%", "in the middle of a % escape"),
        ("x%-05.3", "in the middle of a % escape"),
        ("@", "after an @"),
        ("\\", "after a \\"),
        ("\\q", "\\q is unknown"),
        ("%99999p", "above 4096"),
        ("%.99999999999999999999p", "above 4096"),
        ("%.2:p", "only %x and %X take a separator"),
        ("%:p", "only %x and %X take a separator"),
    ] {
        let error =
            Template::parse(format, Style::CJson, ControlCharacters::Unchanged).expect_err(format);
        assert!(error.contains(wrong), "{format}: {error}");
    }
}
