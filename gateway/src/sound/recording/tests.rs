use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use audio::{Happening, Party};
use config::Config;
use uuid::Uuid;

use super::files::Writer;
use super::{Files, Health, Recording, shelf};
use crate::metrics::Metrics;

const BEGAN: Duration = Duration::from_millis(1_565_399_625_042);

fn configured(recording: &str) -> Config {
    let text = format!(
        "[[listen]]\nprotocol = \"udp\"\naddress = \"127.0.0.1:5060\"\n[[voice_connector]]\nid = \"office\"\n\
         [voice_connector.recording]\ncalls = \"all\"\n{recording}"
    );
    Config::parse(&text, Path::new("test.toml")).unwrap().0
}

/// The way to the files, and what writes them when it is run.
fn files(directory: &Path) -> (Files, Writer, Health, Metrics) {
    let config = Arc::new(ArcSwap::from_pointee(configured("")));
    let (metrics, health) = (Metrics::new("here"), Health::default());
    let (files, writer) = Files::new(directory.to_owned(), config, metrics.clone(), health.clone());
    (files, writer, health, metrics)
}

fn begin(files: &Files) -> Recording {
    Recording::new(files, Uuid::from_u128(7), "office", BEGAN, 8000).unwrap()
}

const NAME: &str =
    "voice-connector-recordings/office/2019/08/10/01.13.45.042_00000000-0000-0000-0000-000000000007.wav";

/// Frames of both parties, from the `from`th to before the `to`th.
fn speak(recording: &mut Recording, from: u32, to: u32) {
    for frame in from..to {
        for (party, value) in [(Party::Caller, 1000), (Party::Callee, -2000)] {
            let (start, samples) = (Duration::from_millis(20) * frame, Arc::from([value; 160]));
            recording.take(&Happening::Frame { party, start, rate: 8000, samples, concealed: false });
        }
    }
}

/// Pairs of samples that are the same, one run after another.
fn runs(path: &Path) -> Vec<([i16; 2], usize)> {
    let mut wav = hound::WavReader::open(path).unwrap();
    assert_eq!((wav.spec().channels, wav.spec().sample_rate), (2, 8000));
    let samples: Vec<i16> = wav.samples().map(Result::unwrap).collect();
    let mut runs = Vec::<([i16; 2], usize)>::new();
    for pair in samples.chunks_exact(2) {
        let pair = [pair[0], pair[1]];
        match runs.last_mut().filter(|(of, _)| *of == pair) {
            Some((_, length)) => *length += 1,
            None => runs.push((pair, 1)),
        }
    }
    runs
}

#[test]
fn the_caller_is_left_and_the_callee_right() {
    let directory = tempfile::tempdir().unwrap();
    let (files, writer, _, metrics) = files(directory.path());
    let mut recording = begin(&files);
    speak(&mut recording, 0, 101);
    assert!(metrics.render().contains("voice_connector_sound_streams_active{voice_connector_id=\"office\",region=\"here\",sink=\"recording\"} 1"));
    recording.end();
    drop(files);
    writer.run();
    assert_eq!(runs(&directory.path().join(NAME)), [([1000, -2000], 101 * 160)]);
    assert!(metrics.render().contains("voice_connector_sound_streams_active{voice_connector_id=\"office\",region=\"here\",sink=\"recording\"} 0"));
}

#[test]
fn a_pause_is_silence_as_long_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let (files, writer, ..) = files(directory.path());
    let mut recording = begin(&files);
    speak(&mut recording, 0, 50);
    recording.pause(Duration::from_secs(1), true);
    speak(&mut recording, 50, 69); // Frames come 120 ms after their time.
    recording.pause(Duration::from_millis(1500), false);
    speak(&mut recording, 69, 100);
    recording.end();
    drop(files);
    writer.run();
    let expected = [([1000, -2000], 8000), ([0, 0], 4000), ([1000, -2000], 4000)];
    assert_eq!(runs(&directory.path().join(NAME)), expected);
}

/// The disk hangs for a while: what found no room is silence, as long as it was, and is counted.
#[test]
fn nobody_waits_for_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let (files, writer, _, metrics) = files(directory.path());
    let mut recording = begin(&files);
    let frames = 20 * (2_047 + 10); // One is the file to be opened.
    speak(&mut recording, 0, frames);
    let writer = std::thread::spawn(move || writer.run());
    let until = Instant::now() + Duration::from_secs(30);
    while files.is_full() && Instant::now() < until {
        std::thread::yield_now();
    }
    speak(&mut recording, frames, frames + 20);
    recording.end();
    drop(files);
    writer.join().unwrap();
    let runs = runs(&directory.path().join(NAME));
    let length: usize = runs.iter().map(|(_, length)| length).sum();
    assert_eq!(length, (frames as usize + 20) * 160, "{runs:?}");
    assert_eq!(runs[1], ([0, 0], 10 * 3200));
    let dropped = "voice_connector_sound_dropped_milliseconds_total{voice_connector_id=\"office\",region=\"here\",sink=\"recording\"} 8000";
    assert!(metrics.render().contains(dropped), "ten chunks of 400 ms of two parties");
}

#[test]
fn a_file_that_finds_no_room_is_a_failure() {
    let directory = tempfile::tempdir().unwrap();
    let (files, writer, _, metrics) = files(directory.path());
    let begun: Vec<_> = (0..2_048).map(|_| begin(&files)).collect();
    assert!(Recording::new(&files, Uuid::from_u128(8), "office", BEGAN, 8000).is_none());
    assert!(metrics.render().contains("voice_connector_sound_streams_failed_total{voice_connector_id=\"office\",region=\"here\",sink=\"recording\"} 1"));
    begun.into_iter().for_each(Recording::end);
    let again = files.clone();
    drop(files);
    let writer = std::thread::spawn(move || writer.run());
    let until = Instant::now() + Duration::from_secs(30);
    while again.is_full() && Instant::now() < until {
        std::thread::yield_now();
    }
    assert!(Recording::new(&again, Uuid::from_u128(8), "office", BEGAN, 8000).is_some());
    drop(again);
    writer.join().unwrap();
}

/// Nothing is recorded any more, and no file that can be written makes up for it.
#[test]
fn a_thread_that_panics_breaks_it_for_good() {
    let health = Health::default();
    let watch = health.watch();
    std::thread::spawn(move || drop(watch)).join().unwrap();
    assert!(!health.is_broken());
    let watch = health.watch();
    let panicked = std::thread::spawn(move || {
        let _watch = watch;
        panic!("a bug");
    });
    assert!(panicked.join().is_err());
    health.set(false);
    assert!(health.is_broken());
}

/// What is there when the process is killed plays, but for the last half second.
#[test]
fn a_file_that_nobody_closed_plays() {
    let directory = tempfile::tempdir().unwrap();
    let (files, writer, ..) = files(directory.path());
    let mut recording = begin(&files);
    speak(&mut recording, 0, 110);
    let path = directory.path().join(NAME);
    let writer = std::thread::spawn(move || writer.run());
    let until = Instant::now() + Duration::from_secs(30);
    let copy = directory.path().join("copy.wav");
    loop {
        // As another program sees it at this moment.
        if std::fs::copy(&path, &copy).is_ok_and(|length| length >= 44 + 4 * 16_000) {
            break;
        }
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
    assert_eq!(runs(&copy), [([1000, -2000], 100 * 160)]);
    recording.end();
    drop(files);
    writer.join().unwrap();
}

#[test]
fn what_can_t_be_written_is_told_of_and_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let blocked = directory.path().join("voice-connector-recordings");
    std::fs::write(&blocked, "no directory").unwrap();
    let (files, writer, health, metrics) = files(directory.path());
    let mut recording = begin(&files);
    speak(&mut recording, 0, 50);
    recording.end();
    let writer = std::thread::spawn(move || writer.run());
    let until = Instant::now() + Duration::from_secs(30);
    let wait = |broken: bool| {
        while health.is_broken() != broken {
            assert!(Instant::now() < until, "{broken}");
            std::thread::yield_now();
        }
    };
    wait(true);
    assert!(metrics.render().contains("voice_connector_sound_streams_failed_total{voice_connector_id=\"office\",region=\"here\",sink=\"recording\"} 1"));
    std::fs::remove_file(&blocked).unwrap();
    let mut recording = begin(&files);
    speak(&mut recording, 0, 50);
    recording.end();
    wait(false);
    drop(files);
    writer.join().unwrap();
    assert_eq!(runs(&directory.path().join(NAME)), [([1000, -2000], 8000)]);
}

#[test]
fn days_that_are_too_old_go_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let place = |day: &str| directory.path().join("voice-connector-recordings/office").join(day);
    let days = ["2019/06/30", "2019/07/10", "2019/07/11", "2019/08/10", "notes"];
    for day in days {
        std::fs::create_dir_all(place(day)).unwrap();
        std::fs::write(place(day).join("a.wav"), "").unwrap();
    }
    shelf::sweep(directory.path(), &configured("retention = \"30d\""), BEGAN);
    let left: Vec<_> = days.into_iter().filter(|day| place(day).exists()).collect();
    assert_eq!(left, ["2019/07/11", "2019/08/10", "notes"]);
    assert!(!place("2019/06").exists());
    shelf::sweep(directory.path(), &configured(""), BEGAN * 2);
    assert!(place("2019/07/11").exists());
}
