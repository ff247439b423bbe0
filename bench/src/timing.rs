//! How long something took: by the clock, and on the processor.

use std::time::Instant;

use rustix::param::page_size;
use rustix::time::{ClockId, clock_gettime};

/// Seconds that one piece of work took.
#[derive(Debug, Clone, Copy)]
pub struct Took {
    /// By the clock.
    pub wall: f64,
    /// On the processor: other programs on the machine do not count.
    pub cpu: f64,
}

/// Times a piece of work of this thread.
pub fn time<Result>(work: impl FnOnce() -> Result) -> (Result, Took) {
    time_by(ClockId::ThreadCPUTime, work)
}

/// Times a piece of work on several threads.
pub fn time_process<Result>(work: impl FnOnce() -> Result) -> (Result, Took) {
    time_by(ClockId::ProcessCPUTime, work)
}

fn time_by<Result>(clock: ClockId, work: impl FnOnce() -> Result) -> (Result, Took) {
    let (begin, cpu) = (Instant::now(), seconds_of(clock));
    let result = work();
    let cpu = seconds_of(clock) - cpu;
    (result, Took { wall: begin.elapsed().as_secs_f64(), cpu })
}

fn seconds_of(clock: ClockId) -> f64 {
    let now = clock_gettime(clock);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

/// Several times of one piece of work.
#[derive(Debug, Clone, Default)]
pub struct Series(Vec<Took>);

impl Series {
    /// Adds one time, of work done `count` times over.
    pub fn add(&mut self, took: Took, count: usize) {
        let count = count as f64;
        self.0.push(Took { wall: took.wall / count, cpu: took.cpu / count });
    }

    /// Median seconds on the processor.
    pub fn cpu(&self) -> f64 {
        median(self.0.iter().map(|took| took.cpu))
    }

    /// Median seconds by the clock.
    pub fn wall(&self) -> f64 {
        median(self.0.iter().map(|took| took.wall))
    }

    /// Least and most seconds on the processor.
    pub fn bounds(&self) -> (f64, f64) {
        let sorted = sorted(self.0.iter().map(|took| took.cpu));
        (sorted[0], sorted[sorted.len() - 1])
    }
}

/// The middle of some numbers.
pub fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let sorted = sorted(numbers);
    sorted[sorted.len() / 2]
}

fn sorted(numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<_> = numbers.collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Seconds in the unit that suits them.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if s >= 1.0 => format!("{s:.2} s"),
        s if s >= 0.1 => format!("{:.0} ms", s * 1e3),
        s if s >= 1e-3 => format!("{:.2} ms", s * 1e3),
        s => format!("{:.2} µs", s * 1e6),
    }
}

/// Bytes of memory that this process has in use.
pub fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * page_size()
}
