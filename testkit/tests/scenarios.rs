//! What a scenario accepts, and what it says of the rest.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use annals::{
    CodecId, Command, Decision, Event, ExecuteError, InvalidCommand, Json, NewEvent, Payloads,
    Recorded, SchemaVersion, StreamId, require,
};
use annals_testkit::{given, given_with};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
enum Account {
    #[event(version = 2, upcast(1 = in_euros))]
    In {
        cents: u64,
    },
    Out {
        cents: u64,
    },
}

fn in_euros(euros: u64) -> Account {
    Account::In { cents: euros * 100 }
}

#[derive(Debug, PartialEq)]
struct Short {
    has: u64,
    needs: u64,
}

/// Moves money; to nobody, if there is no money to move.
#[derive(Debug, Command)]
struct Transfer {
    #[stream]
    from: StreamId,
    #[stream]
    to: StreamId,
    cents: u64,
}

impl Command for Transfer {
    type State = u64;
    type Event = Account;
    type Rejection = Short;

    fn evolve(&self, balance: &mut u64, recorded: &Recorded<Account>) {
        match recorded.event {
            Account::In { cents } if recorded.stream == self.from => *balance += cents,
            Account::Out { cents } if recorded.stream == self.from => *balance -= cents,
            _ => {}
        }
    }

    fn decide(&self, balance: &u64) -> Result<Decision<Account>, Short> {
        let cents = self.cents;
        if cents == 0 {
            return Ok(Decision::nothing());
        }
        require!(*balance >= cents, Short { has: *balance, needs: cents });
        let out = Decision::one(self.from.clone(), Account::Out { cents });
        Ok(out.and(self.to.clone(), Account::In { cents }))
    }
}

fn transfer(cents: u64) -> Transfer {
    let stream = |name| StreamId::new(name).unwrap();
    Transfer { from: stream("ada"), to: stream("bob"), cents }
}

const NOTHING: [(&str, Account); 0] = [];

#[test]
fn what_was_decided_is_accepted_and_goes_on() {
    let bob = StreamId::new("bob").unwrap();
    let given = given([("ada", Account::In { cents: 100 })])
        .and(&bob, Account::In { cents: 1 })
        .when(&transfer(60))
        .then([("ada", Account::Out { cents: 60 }), ("bob", Account::In { cents: 60 })])
        .when(&transfer(60))
        .then_rejected(Short { has: 40, needs: 60 })
        .when(&transfer(0))
        .then_nothing()
        .when(&transfer(40))
        .then([("ada", Account::Out { cents: 40 }), ("bob", Account::In { cents: 40 })]);
    assert_eq!(given.store().stream_version(&bob).get(), 3);
}

/// The message of a scenario that fails.
fn failure(scenario: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(scenario)).unwrap_err();
    panic.downcast_ref::<String>().unwrap().clone()
}

#[test]
fn what_was_decided_otherwise_is_shown_line_by_line() {
    let message = failure(|| {
        given([("ada", Account::In { cents: 100 })])
            .when(&transfer(60))
            .then([("ada", Account::Out { cents: 60 }), ("bob", Account::In { cents: 61 })]);
    });
    let expected = "\
the command decided otherwise (- expected, + decided):
  ada: Out {
      cents: 60,
  }
  bob: In {
-     cents: 61,
+     cents: 60,
  }
";
    assert_eq!(message, expected);
    let message = failure(|| {
        given([("ada", Account::In { cents: 100 })]).when(&transfer(60)).then_nothing();
    });
    assert!(message.contains("\n- no events\n+ ada: Out {\n"), "{message}");
}

/// Another stream, another order, one more or one less: all are differences.
#[test]
fn events_are_compared_with_their_streams_in_their_order() {
    let out = || Account::Out { cents: 60 };
    let income = || Account::In { cents: 60 };
    let wrong: [Vec<(&str, Account)>; 5] = [
        vec![("ada", out()), ("eve", income())],
        vec![("bob", income()), ("ada", out())],
        vec![("ada", out())],
        vec![("ada", out()), ("bob", income()), ("bob", income())],
        vec![],
    ];
    for expected in wrong {
        let outcome = given([("ada", Account::In { cents: 100 })]).when(&transfer(60));
        let message = failure(|| drop(outcome.then(expected)));
        assert!(message.starts_with("the command decided otherwise"), "{message}");
    }
}

#[test]
fn a_rejection_that_was_not_expected_is_shown() {
    let message = failure(|| {
        given(NOTHING).when(&transfer(5)).then([("ada", Account::Out { cents: 5 })]);
    });
    let expected = "\
expected the command to decide on
ada: Out {
    cents: 5,
}
and it was rejected with
Short {
    has: 0,
    needs: 5,
}";
    assert_eq!(message, expected);
    let message = failure(|| {
        let outcome = given(NOTHING).when(&transfer(5));
        drop(outcome.then_rejected(Short { has: 1, needs: 5 }));
    });
    assert!(message.contains("\n-     has: 1,\n+     has: 0,\n      needs: 5,"), "{message}");
    let message = failure(|| {
        let outcome = given([("ada", Account::In { cents: 9 })]).when(&transfer(5));
        drop(outcome.then_rejected(Short { has: 9, needs: 5 }));
    });
    assert!(message.contains("and it decided on\nada: Out {"), "{message}");
}

/// A failure is neither a decision nor a rejection.
#[test]
fn a_command_that_fails_is_no_rejection() {
    #[derive(Debug)]
    struct Nowhere;
    impl annals::CommandStreams for Nowhere {
        fn streams(&self) -> Vec<StreamId> {
            Vec::new()
        }
    }
    impl Command for Nowhere {
        type State = ();
        type Event = Account;
        type Rejection = ();
        fn evolve(&self, (): &mut (), _: &Recorded<Account>) {}
        fn decide(&self, (): &()) -> Result<Decision<Account>, ()> {
            Err(())
        }
    }
    let outcome = given(NOTHING).when(&Nowhere);
    let result = outcome.result();
    assert!(matches!(result, Err(ExecuteError::Invalid(InvalidCommand::NoStreams))), "{result:?}");
    let message = failure(|| drop(given(NOTHING).when(&Nowhere).then_rejected(())));
    assert!(message.contains("and it failed: the command declares no stream"), "{message}");
    let message = failure(|| drop(outcome.then_nothing()));
    assert!(message.contains("and it failed: the command declares no stream"), "{message}");
}

/// What a codec loses is seen, since events are read again.
#[test]
fn an_event_that_its_codec_does_not_keep_is_found() {
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
    struct Noted {
        #[serde(skip)]
        note: String,
    }
    #[derive(Debug, Command)]
    struct Note {
        #[stream]
        stream: StreamId,
    }
    fn noted() -> Noted {
        Noted { note: "kept?".to_owned() }
    }
    impl Command for Note {
        type State = ();
        type Event = Noted;
        type Rejection = ();
        fn evolve(&self, (): &mut (), _: &Recorded<Noted>) {}
        fn decide(&self, (): &()) -> Result<Decision<Noted>, ()> {
            Ok(Decision::one(self.stream.clone(), noted()))
        }
    }
    let note = Note { stream: StreamId::new("notes").unwrap() };
    let nothing: [(&str, Noted); 0] = [];
    let message = failure(|| drop(given(nothing).when(&note).then([("notes", noted())])));
    assert!(message.contains("-     note: \"kept?\",\n+     note: \"\","), "{message}");
}

#[test]
fn events_of_other_types_versions_and_codecs_can_be_given() {
    #[derive(Debug, Serialize, Deserialize, Event)]
    struct Frozen;
    let old = |codec| {
        let event = NewEvent::new(StreamId::new("ada").unwrap(), "In", "3").unwrap();
        event.with_codec(codec, SchemaVersion(1))
    };
    given(NOTHING)
        .and_recorded(old(CodecId::JSON))
        .when(&transfer(300))
        .then([("ada", Account::Out { cents: 300 }), ("bob", Account::In { cents: 300 })]);

    let message = failure(|| {
        let outcome = given([("ada", Frozen)]).when(&transfer(1));
        drop(outcome.then_rejected(Short { has: 0, needs: 1 }));
    });
    assert!(message.contains("nothing reads events of type Frozen"), "{message}");
    given_with(Payloads::new(Json).skip_unknown(), [("ada", Frozen)])
        .when(&transfer(1))
        .then_rejected(Short { has: 0, needs: 1 });
}

#[test]
fn a_name_that_is_none_is_said() {
    let message = failure(|| drop(given([("", Account::In { cents: 1 })])));
    assert!(message.contains("the stream id is empty"), "{message}");
}
