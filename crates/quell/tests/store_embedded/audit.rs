//! Verification of a directory: checkpoints, anchors, keys, and the documented format.

use std::fs;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use quell::store::Store;
use quell::store::error::StoreError;
use quell::store::keys::{KeyError, generate, lies_outside, public_keys, signing_key};
use quell::store::verify::verify;
use quell_core::ledger::verify::Tampering;

use crate::support::{Seen, TestStore, fact, facts, filled, folder, key, open, options, segments};

const FORMAT: &str = include_str!("../../../../docs/reference/ledger-format.md");

#[tokio::test]
async fn an_intact_ledger_verifies_and_its_tail_is_unanchored() {
    let (_folder, dir) = folder();
    filled(&dir, &facts(0..5), 600).await;
    let report = verify(&dir, &[], None).unwrap();
    assert!(report.intact(), "{report}");
    assert_eq!((report.records(), report.chains[0].unanchored_since), (5, Some(1)));
}

/// A folder that anybody can make must not keep the rest from being verified.
#[tokio::test]
async fn what_is_no_chain_among_the_chains_is_told_and_the_rest_verified() {
    use std::os::unix::ffi::OsStrExt as _;
    let (_folder, dir) = folder();
    filled(&dir, &facts(0..5), 600).await;
    let ledger = dir.join("ledger");
    for name in [&b"\x1b[31mevil"[..], b"\xff"] {
        fs::create_dir(ledger.as_std_path().join(std::ffi::OsStr::from_bytes(name))).unwrap();
        let report = verify(&dir, &[], None).unwrap();
        let faults: Vec<_> = report.faults().collect();
        assert!(!faults.is_empty() && faults.iter().all(|it| it.tampering == Tampering::Malformed));
        assert_eq!(report.records(), 5, "{report}");
    }
}

#[tokio::test]
async fn a_checkpoint_vouches_with_its_key_and_closing_signs_the_head() {
    let (_folder, dir) = folder();
    let store = signed(&dir);
    store.append(facts(0..3)).await.unwrap();
    let checkpoint = store.checkpoint().await.unwrap();
    assert_eq!(checkpoint.heads, [store.head()]);
    store.append(facts(3..5)).await.unwrap();
    let keys = [key().verifying_key().into()];
    let report = verify(&dir, &keys, None).unwrap();
    assert_eq!(report.chains[0].unanchored_since, Some(4), "{report}");
    store.close().await.unwrap();
    let report = verify(&dir, &keys, None).unwrap();
    assert!(report.intact(), "{report}");
    assert_eq!((report.checkpoints, report.chains[0].unanchored_since), (2, Some(6)));
}

#[tokio::test]
async fn without_a_key_there_is_no_checkpoint() {
    let (_folder, dir) = folder();
    let store = open(&dir).unwrap();
    assert!(matches!(store.checkpoint().await, Err(StoreError::NoSigningKey)));
    store.append(vec![fact(0)]).await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_cut_ledger_is_truncated_against_an_anchor_and_intact_without() {
    let (folder, dir) = folder();
    let store = signed(&dir);
    store.append(facts(0..5)).await.unwrap();
    let checkpoint = store.checkpoint().await.unwrap();
    store.close().await.unwrap();
    let anchor = Utf8PathBuf::from_path_buf(folder.path().join("anchor.json")).unwrap();
    fs::write(&anchor, checkpoint.to_json()).unwrap();
    assert!(verify(&dir, &[], Some(&anchor)).unwrap().intact());

    // Whoever can cut the ledger can remove the checkpoints beside it.
    cut_lines(&dir, 2);
    let beside = verify(&dir, &[], None).unwrap();
    let found = beside.faults().next().unwrap();
    assert_eq!((found.tampering, found.sequence), (Tampering::CheckpointMismatch, Some(4)));
    let refused = open(&dir).err().unwrap();
    assert!(matches!(refused, StoreError::Contradicted { .. }), "{refused}");
    fs::remove_dir_all(dir.join("checkpoints")).unwrap();
    assert!(verify(&dir, &[], None).unwrap().intact(), "nothing in the directory can tell");
    let anchored = verify(&dir, &[], Some(&anchor)).unwrap();
    let found = anchored.faults().next().unwrap();
    assert_eq!((found.tampering, found.sequence), (Tampering::Truncated, Some(4)));
}

#[tokio::test]
async fn a_signature_by_another_key_is_named() {
    let (_folder, dir) = folder();
    let store = signed(&dir);
    store.append(facts(0..2)).await.unwrap();
    store.close().await.unwrap();
    let other = ed25519_dalek::SigningKey::from_bytes(&[8; 32]).verifying_key();
    let report = verify(&dir, &[other.into()], None).unwrap();
    assert_eq!(report.faults().next().unwrap().tampering, Tampering::BadCheckpointSignature);
    assert!(verify(&dir, &[other.into(), key().verifying_key().into()], None).unwrap().intact());
}

#[tokio::test]
async fn a_torn_tail_is_told_offline_and_tolerated_beside_a_writer() {
    let (_folder, dir) = folder();
    filled(&dir, &facts(0..2), u64::MAX).await;
    let segment = segments(&dir).pop().unwrap();
    let store = open(&dir).unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    bytes.extend(b"{\"chain\":\"ma");
    fs::write(&segment, bytes).unwrap();
    assert!(verify(&dir, &[], None).unwrap().intact());
    store.close().await.unwrap();
    let report = verify(&dir, &[], None).unwrap();
    let found = report.faults().next().unwrap();
    assert_eq!((found.tampering, found.sequence), (Tampering::TornTail, Some(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_and_folding_beside_a_busy_writer_find_no_fault() {
    let (_folder, dir) = folder();
    let mut options = options();
    options.segment_bytes_max = 4000;
    options.signing_key = Some(key());
    let store = Store::open(&dir, options, Seen::default()).unwrap();
    let path = dir.clone();
    let reader = tokio::task::spawn_blocking(move || {
        let mut last = 0;
        while last < 400 {
            let report = verify(&path, &[key().verifying_key().into()], None).unwrap();
            assert!(report.intact(), "{report}");
            let mut seen = Seen::default();
            quell::store::reader::fold(&path, &mut seen).unwrap();
            last = report.records();
        }
    });
    for number in 0..400 {
        store.append(vec![fact(number)]).await.unwrap();
        if number % 50 == 0 {
            store.checkpoint().await.unwrap();
        }
    }
    reader.await.unwrap();
}

#[tokio::test]
async fn the_documented_verifier_agrees() {
    let (folder, dir) = folder();
    filled(&dir, &facts(0..7), 900).await;
    let (_, rest) = FORMAT.split_once("```python\n").unwrap();
    let (program, _) = rest.split_once("```").unwrap();
    let script = folder.path().join("verify.py");
    fs::write(&script, program).unwrap();
    let run = || {
        let output = Command::new("python3").arg(&script).arg(&dir).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.success(), text + &String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(run(), (true, "main: 7 records\n".to_owned()));
    let segment = segments(&dir)[1].clone();
    let text = fs::read_to_string(&segment).unwrap();
    fs::write(&segment, text.replacen("é", "e", 1)).unwrap();
    let (fine, text) = run();
    assert!(!fine && text.contains("edited"), "{text}");
}

#[test]
fn keys_are_made_read_and_kept_out_of_the_ledger() {
    let (folder, dir) = folder();
    let outside = Utf8PathBuf::from_path_buf(folder.path().join("key.pem")).unwrap();
    let public = generate(&outside).unwrap();
    // The form of RFC 8410, section 10.3, up to the key itself: the one that OpenSSL reads too.
    let pem = fs::read_to_string(&outside).unwrap();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI"), "{pem}");
    assert_eq!(signing_key(pem.trim_end(), "file://…").unwrap().verifying_key(), public);
    let public_file = Utf8PathBuf::from(format!("{outside}.pub"));
    assert_eq!(public_keys(&public_file).unwrap(), [public.into()]);
    assert!(matches!(generate(&outside), Err(KeyError::Io { .. })), "no key is overwritten");

    let text = fs::read_to_string(&public_file).unwrap();
    let both = Utf8PathBuf::from(format!("{outside}.both"));
    fs::write(&both, format!("{text}\n{text}")).unwrap();
    assert_eq!(public_keys(&both).unwrap(), [public.into(), public.into()]);
    assert!(matches!(public_keys(&outside), Err(KeyError::NotPublic { .. })));
    assert!(matches!(signing_key(&text, "file://…"), Err(KeyError::NotPrivate { .. })));

    fs::create_dir_all(&dir).unwrap();
    let inside = dir.join("key.pem");
    generate(&inside).unwrap();
    assert!(matches!(lies_outside(&inside, &dir), Err(KeyError::InLedger { .. })));
    lies_outside(&outside, &dir).unwrap();
}

fn signed(dir: &Utf8Path) -> TestStore {
    let mut options = options();
    options.signing_key = Some(key());
    Store::open(dir, options, Seen::default()).unwrap()
}

/// Drops the last `count` lines of the only segment.
fn cut_lines(dir: &Utf8Path, count: usize) {
    let segment = segments(dir).pop().unwrap();
    let text = fs::read_to_string(&segment).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    fs::write(&segment, lines[..lines.len() - count].concat()).unwrap();
}
