//! Enrolment requests and exported checkpoints.

use super::maker::{Log, log_key, public, sign};
use crate::{CheckpointExport, ConsistencyBody, EnrolmentRequest, RequestError, request_file, request_payload};

#[test]
fn a_request_is_one_only_when_every_key_in_it_signed() {
    let (message, payload) = request_payload("north", &log_key(4, "site.example/log"), &[public(3), public(5)]).unwrap();
    let file = |keys: &[u8]| request_file(&payload, keys.iter().map(|&key| sign(key, &message)).collect()).unwrap();
    let request = EnrolmentRequest::parse(&file(&[3, 4, 5])).unwrap();
    assert_eq!((request.name(), request.log().origin.as_str(), request.signers().count()), ("north", "site.example/log", 2));
    for keys in [&[3, 4][..], &[3, 5], &[4, 5], &[], &[3, 5, 9]] {
        assert!(matches!(EnrolmentRequest::parse(&file(keys)), Err(RequestError::Possession { .. })), "{keys:?}");
    }
    let good = file(&[3, 4, 5]);
    for at in 0..good.len() {
        let mut flipped = good.clone();
        flipped[at] ^= 1;
        assert!(EnrolmentRequest::parse(&flipped).is_err(), "byte {at}");
        assert!(EnrolmentRequest::parse(&good[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn an_exported_checkpoint_round_trips_and_a_plain_one_is_one_without_proofs() {
    let log = Log::honest();
    let export = CheckpointExport { checkpoint: log.checkpoint(5), consistency: (1..5).map(|older| log.proof(older, 5)).collect() };
    assert_eq!(CheckpointExport::parse(&export.encode().unwrap()).unwrap(), export);
    for body in &export.consistency {
        assert_eq!(body.verify(&log.tree(body.old_size())), Ok(()));
        assert_eq!(ConsistencyBody::parse(&body.encode()).unwrap(), *body);
    }
    let plain = CheckpointExport::parse(log.checkpoint(5).text().as_bytes()).unwrap();
    assert_eq!((plain.checkpoint, plain.consistency.len()), (log.checkpoint(5), 0));
    let mixed = CheckpointExport { checkpoint: log.checkpoint(6), ..export };
    assert!(CheckpointExport::parse(&mixed.encode().unwrap()).is_err());
}
