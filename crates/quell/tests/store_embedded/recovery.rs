//! Opening what a crash, or somebody, left behind.

use std::fs;

use camino::Utf8Path;
use quell::store::error::StoreError;
use quell::store::reader::fold;
use quell::store::verify::verify;
use quell_core::ledger::verify::Tampering;

use crate::support::{Fact, Seen, copy, fact, facts, filled, folder, open, segments};

#[tokio::test]
async fn a_tail_torn_at_any_byte_is_cut_off_kept_and_recorded() {
    let (_folder, intact) = folder();
    filled(&intact, &facts(0..3), u64::MAX).await;
    let bytes = fs::read(&segments(&intact)[0]).unwrap();
    let last = bytes[..bytes.len() - 1].iter().rposition(|it| *it == b'\n').unwrap() + 1;
    for end in last..bytes.len() {
        let (_folder, dir) = folder();
        copy(&intact, &dir);
        fs::write(&segments(&dir)[0], &bytes[..end]).unwrap();
        let torn = end - last;
        let store = open(&dir).unwrap();
        let mut expected = facts(0..2);
        if 0 < torn {
            let file = "torn/main-00000000000000000003.0.bytes".to_owned();
            assert_eq!(fs::read(dir.join(&file)).unwrap(), &bytes[last..end]);
            expected.push(Fact::TailRepaired { bytes: torn as u64, file });
        }
        assert_eq!(store.read(Seen::facts), expected, "cut at byte {end}");
        store.append(vec![fact(9)]).await.unwrap();
        expected.push(fact(9));
        store.close().await.unwrap();
        assert!(verify(&dir, &[], None).unwrap().intact());
        let again = open(&dir).unwrap();
        assert_eq!(again.read(Seen::facts), expected, "a repair is recorded once");
    }
}

#[tokio::test]
async fn zeros_after_the_last_line_are_a_torn_tail() {
    let (_folder, dir) = folder();
    filled(&dir, &facts(0..2), u64::MAX).await;
    let segment = segments(&dir).pop().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    bytes.extend([0; 4096]);
    fs::write(&segment, bytes).unwrap();
    let store = open(&dir).unwrap();
    let repaired = store.read(|seen| seen.records[2].fact.clone());
    assert!(matches!(repaired, Fact::TailRepaired { bytes: 4096, .. }), "{repaired:?}");
}

#[tokio::test]
async fn a_repair_that_a_crash_interrupted_is_finished() {
    let (_folder, intact) = folder();
    filled(&intact, &facts(0..2), u64::MAX).await;
    let torn_bytes = b"{\"chain\":\"main\",\"seq";
    // The bytes are kept and still in the segment; kept and cut off; torn again while recording.
    for left in [&torn_bytes[..], b"", b"{\"chain"] {
        let (_folder, dir) = folder();
        copy(&intact, &dir);
        let segment = segments(&dir).pop().unwrap();
        let mut bytes = fs::read(&segment).unwrap();
        bytes.extend(left);
        fs::write(&segment, bytes).unwrap();
        let file = "torn/main-00000000000000000003.0.bytes".to_owned();
        fs::write(dir.join(&file), torn_bytes).unwrap();
        let store = open(&dir).unwrap();
        let facts = store.read(Seen::facts);
        let bytes = torn_bytes.len() as u64;
        assert_eq!(facts[2], Fact::TailRepaired { bytes, file });
        let again = usize::from(!left.is_empty() && left != torn_bytes);
        assert_eq!(facts.len(), 3 + again, "what was torn off a second time is told too");
        store.close().await.unwrap();
        assert!(verify(&dir, &[], None).unwrap().intact());
        assert_eq!(open(&dir).unwrap().read(Seen::facts), facts);
    }
}

#[tokio::test]
async fn a_corrupt_middle_is_refused_and_named() {
    let (_folder, intact) = folder();
    filled(&intact, &facts(0..9), 1000).await;
    let segment = segments(&intact)[1].clone();
    let first: u64 = segment.file_stem().unwrap().parse().unwrap();
    let text = fs::read_to_string(&segment).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    assert!(2 <= lines.len(), "{text}");
    let last = first + lines.len() as u64 - 1;
    let cases = [
        (text.replacen("é", "e", 1), 1, first, Tampering::Edited),
        (lines[1..].concat(), 1, first, Tampering::Missing),
        (lines[0].to_owned() + &text, 2, first, Tampering::Duplicated),
        (text.trim_end().to_owned(), lines.len(), last, Tampering::TornTail),
        (text.replacen('\n', "\0\n", 1), 1, first, Tampering::Malformed),
        (String::new(), 1, first, Tampering::Missing),
    ];
    for (content, line, sequence, kind) in cases {
        let (_folder, dir) = folder();
        copy(&intact, &dir);
        let damaged = segments(&dir)[1].clone();
        fs::write(&damaged, &content).unwrap();
        for refused in [open(&dir).err().unwrap(), fold(&dir, &mut Seen::default()).unwrap_err()] {
            let StoreError::Corrupt { file, line: found, fault } = refused else {
                panic!("{kind}: {refused}")
            };
            let place = if content.is_empty() { &segments(&dir)[2] } else { &damaged };
            assert_eq!((&file, found), (place, line as u64), "{kind}");
            assert_eq!(fault.tampering, kind);
            assert_eq!(fault.sequence, Some(sequence), "{kind}");
        }
        assert_eq!(fs::read_to_string(&damaged).unwrap(), content, "nothing is repaired");
        assert!(!verify(&dir, &[], None).unwrap().intact());
    }
}

#[tokio::test]
async fn a_second_writer_is_refused_and_told_who_holds_the_store() {
    let (_folder, dir) = folder();
    let store = open(&dir).unwrap();
    let refused = open(&dir).err().unwrap();
    let StoreError::Locked { holder, .. } = &refused else { panic!("{refused}") };
    assert_eq!(*holder, format!("process {}", std::process::id()));
    store.append(vec![fact(0)]).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(open(&dir).unwrap().head().sequence, 1);
}

#[tokio::test]
async fn a_second_chain_is_refused() {
    let (_folder, dir) = folder();
    filled(&dir, &facts(0..1), u64::MAX).await;
    fs::create_dir(dir.join("ledger/other")).unwrap();
    assert!(matches!(open(&dir).err().unwrap(), StoreError::SeveralChains { chains: 2, .. }));
    assert!(is_untouched(&dir));
}

fn is_untouched(dir: &Utf8Path) -> bool {
    fs::read_to_string(&segments(dir)[0]).unwrap().lines().count() == 1
}
