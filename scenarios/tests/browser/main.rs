//! The pages of `trefoil web` in a real browser, with the real program behind them: what people do there, how it looks, and
//! what nobody can make it do. Without Chromium and its driver these tests say so and pass.

mod driver;
mod equals;
mod files;
mod hostile;
mod joining;
mod looks;
mod lying;
mod person;
mod pictures;
mod resetting;
mod steps;
mod talking;
mod trust;
