//! What a program's own recorder of `metrics` and subscriber of `tracing` would see.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use metrics::{Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Unit};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// Keeps all numbers, by name and label.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    numbers: Arc<Mutex<BTreeMap<String, Vec<f64>>>>,
    /// Called when a number of this name is recorded.
    pub(crate) hook: Hook,
}

type Hook = Arc<Mutex<Option<(&'static str, Box<dyn FnMut() + Send>)>>>;

impl Recorder {
    /// Everything that was recorded under a name, in order. Names without numbers are known, too.
    pub(crate) fn all(&self) -> BTreeMap<String, Vec<f64>> {
        self.numbers.lock().unwrap().clone()
    }

    fn number(&self, key: &Key) -> Arc<Number> {
        let labels = key.labels().map(|label| format!("{{{}={}}}", label.key(), label.value()));
        let name = format!("{}{}", key.name(), labels.collect::<String>());
        self.numbers.lock().unwrap().entry(name.clone()).or_default();
        Arc::new(Number { name, recorder: self.clone() })
    }
}

struct Number {
    name: String,
    recorder: Recorder,
}

impl Number {
    fn add(&self, value: f64) {
        self.recorder.numbers.lock().unwrap().entry(self.name.clone()).or_default().push(value);
        let hook = self.recorder.hook.lock().unwrap().take_if(|(name, _)| *name == self.name);
        if let Some((_, mut hook)) = hook {
            hook();
        }
    }
}

impl CounterFn for Number {
    fn increment(&self, value: u64) {
        self.add(f64::from(u32::try_from(value).unwrap()));
    }
    fn absolute(&self, _: u64) {
        unreachable!("nobody does")
    }
}

impl GaugeFn for Number {
    fn increment(&self, _: f64) {
        unreachable!("nobody does")
    }
    fn decrement(&self, _: f64) {
        unreachable!("nobody does")
    }
    fn set(&self, value: f64) {
        self.add(value);
    }
}

impl HistogramFn for Number {
    fn record(&self, value: f64) {
        self.add(value);
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: metrics::SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: metrics::SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: metrics::SharedString) {}
    fn register_counter(&self, key: &Key, _: &metrics::Metadata<'_>) -> Counter {
        Counter::from_arc(self.number(key))
    }
    fn register_gauge(&self, key: &Key, _: &metrics::Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.number(key))
    }
    fn register_histogram(&self, key: &Key, _: &metrics::Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.number(key))
    }
}

/// A span or an event, with what was said of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    pub(crate) name: String,
    fields: BTreeMap<&'static str, String>,
    /// The span that was current, by number from 1, unless it has no parent.
    pub(crate) parent: Option<u64>,
}

impl Told {
    /// What was said of a field; empty if nothing was.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// Keeps spans and events, in order.
#[derive(Clone, Default)]
pub(crate) struct Listener {
    told: Arc<Mutex<Vec<Told>>>,
    entered: Arc<Mutex<Vec<u64>>>,
}

impl Listener {
    pub(crate) fn all(&self, name: &str) -> Vec<Told> {
        let told = self.told.lock().unwrap();
        told.iter().filter(|told| told.name == name).cloned().collect()
    }

    fn with(&self, id: &Id, change: impl FnOnce(&mut Told)) {
        let at = usize::try_from(id.into_u64() - 1).unwrap();
        change(&mut self.told.lock().unwrap()[at]);
    }

    /// Returns its number.
    fn push(&self, told: Told) -> u64 {
        let mut all = self.told.lock().unwrap();
        all.push(told);
        u64::try_from(all.len()).unwrap()
    }

    fn current(&self) -> Option<u64> {
        self.entered.lock().unwrap().last().copied()
    }
}

struct Fields<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("annals")
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut told = Told { name: span.metadata().name().to_owned(), ..Told::default() };
        if span.is_contextual() {
            told.parent = self.current();
        }
        span.record(&mut Fields(&mut told.fields));
        Id::from_u64(self.push(told))
    }
    fn record(&self, id: &Id, values: &Record<'_>) {
        self.with(id, |told| values.record(&mut Fields(&mut told.fields)));
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut told = Told { parent: self.current(), ..Told::default() };
        event.record(&mut Fields(&mut told.fields));
        told.name = told.fields.get("message").cloned().unwrap_or_default();
        self.push(told);
    }
    fn enter(&self, id: &Id) {
        self.entered.lock().unwrap().push(id.into_u64());
    }
    fn exit(&self, id: &Id) {
        let mut entered = self.entered.lock().unwrap();
        if let Some(at) = entered.iter().rposition(|entered| *entered == id.into_u64()) {
            entered.remove(at);
        }
    }
}
