//! What is written as Matroska, read by two programs that had no part in it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // A test from its first line to its last.

mod support;

use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use streaming::kinesis::{Fragments, Lengths, Next};
use streaming::mkv;
use support::matroska::{Event, Fragment, read};

const EPOCH: u64 = 1_700_000_000_000;
const TAGS: [(&str, &str); 2] = [
    ("TransactionId", "2f1d1a52-4a0a-4e1c-9a53-0c8f6d6b6a51"),
    ("VoiceConnectorId", "abcdef1ghij2klmno3pqr4"),
];

/// `frames` frames of 20 ms, as they go to the service.
fn stream(frames: usize) -> Vec<u8> {
    let lengths = Lengths { fragment: Duration::from_secs(1), kept: Duration::from_secs(100) };
    let mut fragments = Fragments::new(lengths);
    for index in 0..frames {
        let samples: Vec<i16> = (index * 160..(index + 1) * 160).map(|at| (at % 20_000) as i16).collect();
        fragments.push(Duration::from_millis(index as u64 * 20), 8_000, samples.into());
    }
    let mut out = mkv::head([7; 16], "caller", 8_000).to_vec();
    while let Some(Next::Bytes(bytes)) =
        fragments.next(8_000, |start| EPOCH + u64::try_from(start.as_millis()).unwrap(), &TAGS)
    {
        out.extend_from_slice(&bytes);
    }
    out.extend_from_slice(&mkv::end_of_fragment());
    out
}

fn fragments(bytes: &[u8]) -> Result<Vec<Fragment>, String> {
    let (mut found, mut wrong) = (Vec::new(), None);
    read(bytes, |event| match event {
        Event::Ended(fragment) => found.push(fragment),
        Event::Wrong(id, rule) => wrong = Some(format!("{id} {rule}")),
        Event::Began(_) => {}
    });
    wrong.map_or(Ok(found), Err)
}

#[test]
fn a_strict_reader_finds_every_sample_where_it_was_said() {
    let found = fragments(&stream(130)).unwrap();
    assert_eq!(found.iter().map(|fragment| fragment.time_ms - EPOCH).collect::<Vec<_>>(), [0, 1_000, 2_000]);
    assert_eq!(found.iter().map(|fragment| fragment.offsets.len()).collect::<Vec<_>>(), [50, 50, 30]);
    let samples: Vec<i16> = found.iter().flat_map(|fragment| fragment.samples.clone()).collect();
    assert_eq!(samples, (0..130 * 160).map(|at| (at % 20_000) as i16).collect::<Vec<_>>());
    for fragment in &found {
        assert_eq!(fragment.tags, TAGS.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }
}

#[test]
fn the_reader_is_strict() {
    let whole = stream(60);
    let replaced = |from: &[u8], to: &[u8]| {
        let at = whole.windows(from.len()).rposition(|window| window == from).unwrap();
        [&whole[..at], to, &whole[at + from.len()..]].concat()
    };
    for (broken, rule) in [
        (replaced(b"matroska", b"matriska"), "4006"),
        (replaced(b"A_PCM/INT/LIT", b"A_PCM/INT/BIG"), "4006"),
        (replaced(b"TransactionId", b"AWSactionTime"), "4009"),
        (replaced(&(EPOCH + 1_000).to_be_bytes(), &(EPOCH + 900).to_be_bytes()), "4004"),
        (replaced(&[0x81, 0, 40, 0x80], &[0x82, 0, 40, 0x80]), "4010"),
        (replaced(&[0x81, 0, 40, 0x80], &[0x81, 0, 60, 0x80]), "4004"),
        ([&whole[..], &whole[..]].concat(), "4006"),
        (whole[..whole.len() - 100].to_vec(), "4006"),
    ] {
        let wrong = fragments(&broken).unwrap_err();
        assert!(wrong.starts_with(rule), "{wrong} instead of {rule}");
    }
}

/// `ffprobe` of FFmpeg: the second judge.
#[test]
fn ffprobe_finds_the_audio_its_times_and_its_tags() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&stream(130)).unwrap();
    let mut command = Command::new("ffprobe");
    command
        .args(["-v", "error", "-of", "json", "-show_streams", "-show_format", "-show_packets"])
        .arg(file.path());
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "no ffprobe (.ci/setup test): {error}");
            return eprintln!("skipped: no ffprobe here");
        }
    };
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let stream = &found["streams"][0];
    assert_eq!(found["streams"].as_array().unwrap().len(), 1);
    assert_eq!(
        [&stream["codec_name"], &stream["sample_rate"], &stream["channels"], &stream["bits_per_sample"]],
        [&Value::from("pcm_s16le"), &"8000".into(), &1.into(), &16.into()]
    );
    let packets = found["packets"].as_array().unwrap();
    let last = packets.last().unwrap();
    assert_eq!(packets.len(), 130);
    assert_eq!(packets[0]["pts"], EPOCH);
    assert_eq!(last["pts"], EPOCH + 129 * 20);
    assert_eq!(last["size"], "320");
    for (name, value) in TAGS {
        assert_eq!(found["format"]["tags"][name], value, "{}", found["format"]);
    }
}
