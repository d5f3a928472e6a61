//! Policies: parsing, and that a further one only adds.

use sealtrace_verdict::Assurance;

use super::maker::public;
use crate::{MinimumAssurance, Policy, RELEASE_PREDICATE, Role, Rules, SITE_PREDICATE, SignerRule};

#[test]
fn by_role_releases_seal_bundles_and_sites_sign_traces_and_nothing_else() {
    let mut rules = Rules::none();
    let (release, site) = ([Role::parse("release").unwrap()], [Role::parse("site").unwrap()]);
    assert!(rules.may_sign("anything", public(1).key_id(), &[]).is_ok());
    rules.strengthen(Policy::by_role());
    assert!(rules.may_sign(RELEASE_PREDICATE, public(1).key_id(), &release).is_ok());
    assert_eq!(rules.may_sign(RELEASE_PREDICATE, public(1).key_id(), &site), Err("role release".to_owned()));
    assert!(rules.may_sign(SITE_PREDICATE, public(1).key_id(), &site).is_ok());
    assert!(rules.may_sign(SITE_PREDICATE, public(1).key_id(), &[]).is_err());
    assert_eq!(rules.may_sign("anything", public(1).key_id(), &release), Err("nobody".to_owned()));
    let rule = SignerRule {
        predicate_type: RELEASE_PREDICATE.to_owned(),
        roles: Vec::new(),
        keys: vec![public(7).key_id()],
        identities: Vec::new(),
    };
    rules.strengthen(Policy { signers: Some(vec![rule]), ..Policy::default() });
    assert!(rules.may_sign(RELEASE_PREDICATE, public(7).key_id(), &release).is_ok());
    assert!(rules.may_sign(RELEASE_PREDICATE, public(1).key_id(), &release).is_err());
    assert!(rules.may_sign(RELEASE_PREDICATE, public(7).key_id(), &site).is_err(), "both policies hold");
}

#[test]
fn policies_together_are_as_strict_as_the_strictest() {
    let mut rules = Rules::none();
    assert_eq!(rules.minimum_assurance(), None);
    rules.strengthen(Policy {
        minimum_assurance: MinimumAssurance::CosignedByPeer,
        maximum_kit_age_seconds: Some(10),
        ..Policy::default()
    });
    rules.strengthen(Policy { require_time: true, minimum_coverage_percent: 80, ..Policy::default() });
    assert_eq!(rules.minimum_assurance(), Some(Assurance::CosignedByPeer));
    assert_eq!(
        (rules.require_time(), rules.require_quorum(), rules.maximum_kit_age(), rules.minimum_coverage()),
        (true, false, Some(10), 80)
    );
}

#[test]
fn a_policy_round_trips_and_a_wrong_one_is_refused() {
    let bytes = sealtrace_json::canonical(&Policy::by_role()).unwrap();
    assert_eq!(Policy::parse(&bytes).unwrap(), Policy::by_role());
    for at in 0..bytes.len() {
        assert!(Policy::parse(&bytes[..at]).is_err(), "cut at {at}");
    }
    for (field, value) in [
        ("policyVersion", serde_json::json!(1)),
        ("minimumCoveragePercent", serde_json::json!(101)),
        ("minimumAssurance", serde_json::json!("none")),
        ("unknown", serde_json::json!(0)),
        ("signers", serde_json::json!([{"predicateType": "a", "roles": ["No"], "keys": [], "identities": []}])),
    ] {
        let mut wrong = serde_json::to_value(Policy::default()).unwrap();
        wrong[field] = value;
        assert!(Policy::parse(wrong.to_string().as_bytes()).is_err(), "{field}");
    }
}
