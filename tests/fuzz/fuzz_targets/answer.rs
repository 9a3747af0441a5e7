#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testkit::FuzzTarget::Answer.run(bytes));
