//! Metrics: counters, gauges and histograms, exposed as Prometheus text.
//!
//! The registry is one of the two globals of the program. A series belongs to one writer where that
//! matters: each shard registers its own (label `shard`), so a hot increment is an uncontended
//! relaxed add on its own cache line. Registration happens at boot; the hot path only holds handles.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

static REGISTRY: Mutex<Vec<Family>> = Mutex::new(Vec::new());

struct Family {
    name: &'static str,
    help: &'static str,
    kind: &'static str,
    series: Vec<(String, Series)>,
}

enum Series {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

#[repr(align(64))]
#[derive(Default)]
struct Padded(AtomicU64);

/// A number that only grows.
#[derive(Clone)]
pub struct Counter(Arc<Padded>);

impl Counter {
    pub fn inc(&self) {
        self.add(1);
    }
    pub fn add(&self, n: u64) {
        self.0.0.fetch_add(n, Relaxed);
    }
    pub fn value(&self) -> u64 {
        self.0.0.load(Relaxed)
    }
}

/// A number that goes up and down; kept in thousandths.
#[derive(Clone)]
pub struct Gauge(Arc<AtomicI64>);

impl Gauge {
    pub fn set(&self, value: i64) {
        self.0.store(value.saturating_mul(1000), Relaxed);
    }
    pub fn set_ms(&self, milli: i64) {
        self.0.store(milli, Relaxed);
    }
    pub fn add(&self, n: i64) {
        self.0.fetch_add(n * 1000, Relaxed);
    }
    pub fn value(&self) -> i64 {
        self.0.load(Relaxed) / 1000
    }
}

/// Bucket bounds in microseconds; exposed in seconds.
const BOUNDS_US: [u64; 16] =
    [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000, 10_000, 50_000, 250_000, 1_000_000, 5_000_000];

/// A latency distribution.
#[derive(Clone)]
pub struct Histogram(Arc<HistogramCells>);

#[derive(Default)]
struct HistogramCells {
    buckets: [AtomicU64; BOUNDS_US.len()],
    count: AtomicU64,
    sum_us: AtomicU64,
}

impl Histogram {
    pub fn observe_us(&self, us: u64) {
        self.observe_many(us, 1);
    }
    /// `n` observations of the same value (a batch answered in one turn).
    pub fn observe_many(&self, us: u64, n: u64) {
        let at = BOUNDS_US.partition_point(|bound| *bound < us);
        if let Some(bucket) = self.0.buckets.get(at) {
            bucket.fetch_add(n, Relaxed);
        }
        self.0.count.fetch_add(n, Relaxed);
        self.0.sum_us.fetch_add(us.saturating_mul(n), Relaxed);
    }
}

/// Registers a counter series, or returns the one that has these labels already.
pub fn counter(name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Counter {
    register(
        name,
        help,
        "counter",
        labels,
        || Series::Counter(Counter(Arc::default())),
        |series| match series {
            Series::Counter(counter) => Some(counter.clone()),
            _ => None,
        },
    )
    .unwrap_or_else(|| Counter(Arc::default()))
}

/// Registers a gauge series, or returns the one that has these labels already.
pub fn gauge(name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Gauge {
    register(
        name,
        help,
        "gauge",
        labels,
        || Series::Gauge(Gauge(Arc::default())),
        |series| match series {
            Series::Gauge(gauge) => Some(gauge.clone()),
            _ => None,
        },
    )
    .unwrap_or_else(|| Gauge(Arc::default()))
}

/// Registers a latency histogram series, or returns the one that has these labels already.
pub fn histogram(name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Histogram {
    register(
        name,
        help,
        "histogram",
        labels,
        || Series::Histogram(Histogram(Arc::default())),
        |series| match series {
            Series::Histogram(histogram) => Some(histogram.clone()),
            _ => None,
        },
    )
    .unwrap_or_else(|| Histogram(Arc::default()))
}

fn register<T>(
    name: &'static str,
    help: &'static str,
    kind: &'static str,
    labels: &[(&str, &str)],
    make: impl FnOnce() -> Series,
    take: impl Fn(&Series) -> Option<T>,
) -> Option<T> {
    let labels = label_text(labels);
    let mut families = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    let family = if let Some(at) = families.iter().position(|family| family.name == name) {
        families.get_mut(at)?
    } else {
        families.push(Family { name, help, kind, series: Vec::new() });
        families.last_mut()?
    };
    if let Some((_, series)) = family.series.iter().find(|(known, _)| *known == labels) {
        return take(series);
    }
    let series = make();
    let handle = take(&series);
    family.series.push((labels, series));
    handle
}

fn label_text(labels: &[(&str, &str)]) -> String {
    labels
        .iter()
        .map(|(name, value)| {
            format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
        })
        .collect::<Vec<_>>()
        .join(",")
}

/// The whole registry in the Prometheus text format (version 0.0.4), families sorted by name.
pub fn render() -> String {
    let families = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    let mut order: Vec<&Family> = families.iter().collect();
    order.sort_by_key(|family| family.name);
    let mut text = String::with_capacity(16 * 1024);
    for family in order {
        let _ = writeln!(text, "# HELP {} {}\n# TYPE {} {}", family.name, family.help, family.name, family.kind);
        for (labels, series) in &family.series {
            write_series(&mut text, family.name, labels, series);
        }
    }
    text
}

fn write_series(text: &mut String, name: &str, labels: &str, series: &Series) {
    let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let _ = match series {
        Series::Counter(counter) => writeln!(text, "{name}{braced} {}", counter.value()),
        Series::Gauge(gauge) => writeln!(text, "{name}{braced} {}", milli(gauge.0.load(Relaxed))),
        Series::Histogram(histogram) => {
            write_histogram(text, name, labels, &histogram.0);
            Ok(())
        }
    };
}

fn milli(value: i64) -> String {
    if value % 1000 == 0 { (value / 1000).to_string() } else { format!("{}", value as f64 / 1000.0) }
}

fn write_histogram(text: &mut String, name: &str, labels: &str, cells: &HistogramCells) {
    let comma = if labels.is_empty() { "" } else { "," };
    let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let mut total = 0;
    for (bucket, bound) in cells.buckets.iter().zip(BOUNDS_US) {
        total += bucket.load(Relaxed);
        let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{}\"}} {total}", bound as f64 / 1e6);
    }
    let count = cells.count.load(Relaxed).max(total);
    let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}");
    let _ = writeln!(text, "{name}_sum{braced} {}", cells.sum_us.load(Relaxed) as f64 / 1e6);
    let _ = writeln!(text, "{name}_count{braced} {count}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_each_kind_and_escapes_labels() {
        counter("test_total", "Test.", &[("reason", "a\"b")]).add(3);
        counter("test_total", "Test.", &[("reason", "a\"b")]).inc();
        gauge("test_age_seconds", "Test.", &[]).set_ms(1500);
        histogram("test_seconds", "Test.", &[("shard", "0")]).observe_us(7);
        let text = render();
        assert!(text.contains("test_total{reason=\"a\\\"b\"} 4\n"), "{text}");
        assert!(text.contains("test_age_seconds 1.5\n"), "{text}");
        assert!(text.contains("test_seconds_bucket{shard=\"0\",le=\"0.00001\"} 1\n"), "{text}");
        assert!(text.contains("test_seconds_bucket{shard=\"0\",le=\"0.000005\"} 0\n"), "{text}");
        assert!(text.contains("test_seconds_count{shard=\"0\"} 1\n"), "{text}");
    }
}
