//! What counts as an answer, and what does not.

use std::time::{Duration, SystemTime};

use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256};
use time::OffsetDateTime;
use x509_parser::x509::ReasonCode;

use super::forge::{self, Answer, Ca, Delegate};
use crate::{
    config::NonceUse,
    policy::{
        chain::Link,
        ocsp::{
            response::{Refusal, Status},
            signer::SignerError,
            verify::{self, AnswerError, CLOCK_SKEW, Question, Statement},
        },
        signature::SignatureError,
    },
};

const MAX_AGE: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

struct World {
    ca: Ca,
    leaf: Link,
    /// In whole seconds, as answers have them.
    now: SystemTime,
}

impl World {
    fn new() -> Self {
        let ca = forge::ca(&PKCS_ECDSA_P256_SHA256);
        let leaf = forge::leaf(&ca, 0x1234, &[]);
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(since.unwrap().as_secs());
        Self { ca, leaf, now }
    }

    fn answer(&self) -> Answer {
        Answer::new(&self.ca, forge::id(&self.leaf), self.now)
    }

    fn delegated(&self, by: &Delegate) -> Vec<u8> {
        let mut answer = self.answer();
        answer.responder = forge::by_key(&by.certificate);
        answer.certificates = vec![by.certificate.clone()];
        answer.sign(&by.key)
    }

    fn delegate(&self, change: impl FnOnce(&mut rcgen::CertificateParams)) -> Delegate {
        forge::delegate(&self.ca, &PKCS_ECDSA_P256_SHA256, change)
    }

    fn judge(&self, answer: &[u8]) -> Result<Statement, AnswerError> {
        self.judge_nonce(answer, None, NonceUse::Off)
    }

    fn judge_nonce(
        &self,
        answer: &[u8],
        nonce: Option<&[u8]>,
        nonce_use: NonceUse,
    ) -> Result<Statement, AnswerError> {
        let question = Question {
            id: &forge::id(&self.leaf),
            issuer: &self.leaf.issuer,
            nonce,
            nonce_use,
            max_age: MAX_AGE,
        };
        verify::verify(&forge::supported(), &question, answer, self.now)
    }

    /// The verdict on an answer of the CA with one change.
    fn changed(&self, change: impl FnOnce(&mut Answer)) -> Result<Status, AnswerError> {
        let mut answer = self.answer();
        change(&mut answer);
        let statement = self.judge(&answer.sign(self.ca.key()))?;
        Ok(statement.status)
    }
}

#[test]
fn an_answer_of_the_ca_counts_and_says_what_it_says() {
    let world = World::new();
    assert_eq!(world.changed(|_| {}), Ok(Status::Good));
    assert_eq!(
        world.changed(|a| a.responder = forge::by_key(world.ca.der())),
        Ok(Status::Good)
    );
    assert_eq!(
        world.changed(|a| a.status = forge::unknown()),
        Ok(Status::Unknown)
    );
    let when = world.now - MAX_AGE;
    let reason = Some(ReasonCode::KeyCompromise);
    assert_eq!(
        world.changed(|a| a.status = forge::revoked(when)),
        Ok(Status::Revoked { when, reason })
    );
}

#[test]
fn it_must_be_about_this_certificate_and_once() {
    let world = World::new();
    let other = forge::id(&forge::leaf(&world.ca, 0x1235, &[]));
    assert_eq!(
        world.changed(|a| a.id = other),
        Err(AnswerError::OtherCertificate)
    );
    let stranger = forge::ca(&PKCS_ECDSA_P256_SHA256);
    let namesake = forge::id(&forge::leaf(&stranger, 0x1234, &[]));
    assert_eq!(
        world.changed(|a| a.id = namesake),
        Err(AnswerError::OtherCertificate)
    );
    assert_eq!(
        world.changed(|a| a.times = 0),
        Err(AnswerError::OtherCertificate)
    );
    assert_eq!(world.changed(|a| a.times = 2), Err(AnswerError::Twice));
}

#[test]
fn it_must_be_of_now() {
    let world = World::new();
    let now = world.now;
    assert_eq!(
        world.changed(|a| a.this_update = now + CLOCK_SKEW),
        Ok(Status::Good)
    );
    assert_eq!(
        world.changed(|a| a.this_update = now + CLOCK_SKEW + SECOND),
        Err(AnswerError::Future)
    );
    assert_eq!(
        world.changed(|a| a.produced_at = now + CLOCK_SKEW + SECOND),
        Err(AnswerError::Future)
    );
    let ended = |at| {
        move |a: &mut Answer| {
            a.this_update = now - 2 * MAX_AGE;
            a.next_update = Some(at);
        }
    };
    assert_eq!(world.changed(ended(now - CLOCK_SKEW)), Ok(Status::Good));
    assert_eq!(
        world.changed(ended(now - CLOCK_SKEW - SECOND)),
        Err(AnswerError::Expired)
    );
    assert_eq!(
        world.changed(ended(now - 3 * MAX_AGE)),
        Err(AnswerError::Backwards)
    );
    let endless = |since| {
        move |a: &mut Answer| {
            a.this_update = since;
            a.next_update = None;
        }
    };
    assert_eq!(world.changed(endless(now - MAX_AGE)), Ok(Status::Good));
    assert_eq!(
        world.changed(endless(now - MAX_AGE - SECOND)),
        Err(AnswerError::Expired)
    );
}

#[test]
fn a_refusal_says_why() {
    let world = World::new();
    let refusals = [
        (1, Refusal::MalformedRequest),
        (2, Refusal::InternalError),
        (3, Refusal::TryLater),
        (5, Refusal::SigRequired),
        (6, Refusal::Unauthorized),
    ];
    for (status, refusal) in refusals {
        assert_eq!(
            world.changed(|a| a.response_status = status),
            Err(AnswerError::Refusal(refusal))
        );
    }
    let undefined = world.changed(|a| a.response_status = 4);
    assert!(matches!(undefined, Err(AnswerError::Malformed(_))));
}

#[test]
fn the_nonce_binds_an_answer_to_its_question() {
    use NonceUse::{Auto, Require};
    let world = World::new();
    let judge = |returned: Option<&[u8]>, age, nonce_use| {
        let mut answer = world.answer();
        answer.this_update = world.now - age;
        answer.nonce = returned.map(<[u8]>::to_vec);
        let der = answer.sign(world.ca.key());
        let result = world.judge_nonce(&der, Some(b"sent"), nonce_use);
        result.map(|statement| statement.status)
    };
    let old = MAX_AGE + SECOND;
    for nonce_use in [Auto, Require] {
        assert_eq!(judge(Some(b"sent"), old, nonce_use), Ok(Status::Good));
        for other in [&b"other"[..], b"", b"sent "] {
            let result = judge(Some(other), SECOND, nonce_use);
            assert_eq!(result, Err(AnswerError::OtherNonce));
        }
    }
    assert_eq!(judge(None, MAX_AGE, Auto), Ok(Status::Good));
    assert_eq!(
        judge(None, old, Auto),
        Err(AnswerError::OldWithoutNonce(old.as_secs()))
    );
    assert_eq!(judge(None, SECOND, Require), Err(AnswerError::NoNonce));
}

#[test]
fn a_delegate_needs_the_word_of_the_same_ca() {
    let world = World::new();
    let judge = |by: &Delegate| world.judge(&world.delegated(by)).map(|s| s.status);
    assert_eq!(judge(&world.delegate(|_| {})), Ok(Status::Good));

    // The same name, another key: what a second CA of the bundle might issue.
    let namesake = forge::ca(&PKCS_ECDSA_P256_SHA256);
    let foreign = forge::delegate(&namesake, &PKCS_ECDSA_P256_SHA256, |_| {});
    let err = |error| Err(AnswerError::Signer(error));
    assert_eq!(judge(&foreign), err(SignerError::OtherIssuer));

    let client = world.delegate(|p| {
        p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    assert_eq!(judge(&client), err(SignerError::Usage));
    let any = world.delegate(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]);
    assert_eq!(judge(&any), err(SignerError::Usage));
    let none = world.delegate(|p| p.extended_key_usages.clear());
    assert_eq!(judge(&none), err(SignerError::Usage));
    let encipherer = world.delegate(|p| p.key_usages = vec![KeyUsagePurpose::KeyEncipherment]);
    assert_eq!(judge(&encipherer), err(SignerError::Usage));

    let now = OffsetDateTime::from(world.now);
    let over = world.delegate(|p| p.not_after = now - SECOND);
    assert_eq!(judge(&over), err(SignerError::Validity));
    let early = world.delegate(|p| p.not_before = now + SECOND);
    assert_eq!(judge(&early), err(SignerError::Validity));
    let critical = world.delegate(|p| {
        let mut strange = rcgen::CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        strange.set_criticality(true);
        p.custom_extensions = vec![strange];
    });
    assert_eq!(judge(&critical), err(SignerError::Critical));
}

#[test]
fn the_signer_is_who_it_says_and_its_certificate_is_there() {
    let world = World::new();
    let err = |error| Err(AnswerError::Signer(error));
    let delegate = world.delegate(|_| {});
    let mut answer = world.answer();
    answer.responder = forge::by_name(&delegate.certificate);
    let without = world.judge(&answer.sign(&delegate.key));
    assert_eq!(without, err(SignerError::Stranger));

    answer.certificates = vec![world.leaf.certificate.clone(), delegate.certificate.clone()];
    assert!(world.judge(&answer.sign(&delegate.key)).is_ok());
    let by_other_key = world.judge(&answer.sign(world.ca.key()));
    let wrong = SignerError::Answer(SignatureError::Wrong);
    assert_eq!(by_other_key, err(wrong.clone()));

    // In the CA's name, with another key, even though that key's certificate is there.
    answer.responder = forge::by_name(world.ca.der());
    assert_eq!(world.judge(&answer.sign(&delegate.key)), err(wrong));
}

#[test]
fn only_a_few_certificates_are_tried() {
    let world = World::new();
    let delegates: Vec<_> = (0..5).map(|_| world.delegate(|_| {})).collect();
    let mut answer = world.answer();
    answer.responder = forge::by_name(&delegates[0].certificate);
    answer.certificates = delegates.iter().map(|d| d.certificate.clone()).collect();
    assert!(world.judge(&answer.sign(&delegates[3].key)).is_ok());
    assert!(world.judge(&answer.sign(&delegates[4].key)).is_err());
}

#[test]
fn damage_is_noticed_and_never_a_panic() {
    let world = World::new();
    let mut answer = world.answer();
    let delegate = world.delegate(|_| {});
    answer.responder = forge::by_name(&delegate.certificate);
    answer.certificates = vec![delegate.certificate.clone()];
    let real = answer.sign(&delegate.key);
    never_good_when_damaged(&real, |der| world.judge(der));
}

/// Damages every byte of an answer, and cuts it off everywhere. What changes signed bytes must not count.
pub(super) fn never_good_when_damaged(
    real: &[u8],
    judge: impl Fn(&[u8]) -> Result<Statement, AnswerError>,
) {
    let truth = judge(real).unwrap();
    let basic = crate::policy::ocsp::response::basic(real).unwrap();
    let mut outer = crate::policy::ocsp::der::Reader::new(basic);
    let (_, contents) = outer.take_whole(0x30, "basic").unwrap();
    let (signed, _) = crate::policy::ocsp::der::Reader::new(contents)
        .take_whole(0x30, "data")
        .unwrap();
    let start = real
        .windows(signed.len())
        .position(|w| w == signed)
        .unwrap();
    let signed = start..start + signed.len();
    let mut refused = 0;
    for offset in 0..real.len() {
        for mask in [0x01, 0x80, 0xff] {
            let mut damaged = real.to_vec();
            damaged[offset] ^= mask;
            match judge(&damaged) {
                Ok(_) if signed.contains(&offset) => panic!("byte {offset} may be changed"),
                Ok(statement) => assert_eq!(statement, truth),
                Err(_) => refused += 1,
            }
        }
        assert!(judge(&real[..offset]).is_err(), "cut off at {offset}");
    }
    assert!(refused >= 3 * signed.len());
    assert!(judge(&[real, &[0]].concat()).is_err());
}
