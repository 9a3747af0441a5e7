use std::sync::Mutex;

use martlet_settings::{RsyncModule, RsyncVars, python};
use proptest::prelude::*;
use serde_json::json;

use crate::stock::Stock;

/// Our reading in the words of `answer.py`; numbers beyond 128 bits are left out of the comparison.
fn agree(stock: &mut Stock, text: &str) -> Result<(), TestCaseError> {
    let theirs = stock.ask_text("int", text).ok().map(|number| number.as_str().unwrap().to_owned());
    if theirs.as_ref().is_none_or(|number| number.parse::<i128>().is_ok()) {
        prop_assert_eq!(python::int(text).map(|number| number.to_string()), theirs, "int({:?})", text);
    }
    let theirs =
        stock.ask_text("float", text).ok().map(|number| number.as_str().unwrap().parse::<f64>().unwrap());
    let is_same = match (python::float(text), theirs) {
        (Some(ours), Some(theirs)) => ours.total_cmp(&theirs).is_eq() || ours.is_nan() && theirs.is_nan(),
        (ours, theirs) => ours.is_none() && theirs.is_none(),
    };
    prop_assert!(is_same, "float({:?}): {:?}, stock's {:?}", text, python::float(text), theirs);
    let theirs = stock.ask_text("true", text);
    prop_assert_eq!(Ok(json!(python::true_value(text))), theirs, "config_true_value({:?})", text);
    Ok(())
}

#[test]
fn odd_values_are_read_as_stock_reads_them() {
    let mut stock = Stock::start();
    let values = "0|-0|+7|007| 1_000\t|1_000_|__1|1__0|1 0|0x10|0b1|1e3|1E+3|1e|e1|.5|5.|.|-.5e-1_0|1_0.0_1|1_.0|\
                  1._0|inf|-INF|+Infinity|infinit|nan|-NaN|1e400|-1e-400|1,5|1.0.0|--1|+-1|٣|１|²|½|1L|1f|\
                  true|TRUE|True |t|T|y|yes|on|oN|off|no|f|2|01|enabled|\u{a0}1\u{a0}|\u{1c}1|\u{2003}2.5\u{85}|\u{0}1|\
                  123456789012345678901234567890|9223372036854775808|1_2_3.4_5e6_7|\u{feff}1|\u{200b}1|0_0|00|1_e5|1e_5";
    for text in values.split('|').chain([""]).filter(|text| !has_foreign_digits(text)) {
        agree(&mut stock, text).unwrap();
    }
}

/// Digits outside ASCII: Python reads them, and we say that we do not.
fn has_foreign_digits(text: &str) -> bool {
    text.chars().any(|character| !character.is_ascii() && character.is_numeric())
}

#[test]
fn random_values_are_read_as_stock_reads_them() {
    let stock = Mutex::new(Stock::start());
    proptest!(ProptestConfig::with_cases(2000), |(text in "[-+0-9_.eE \u{a0}\u{1f}infatyrues]{0,8}")| {
        agree(&mut stock.lock().unwrap(), &text)?;
    });
}

#[test]
fn rsync_modules_are_filled_in_as_stock_does() {
    let device = RsyncVars {
        ip: "10.0.0.1",
        port: 6202,
        replication_ip: "fe80::1",
        replication_port: 6402,
        region: 1,
        zone: 2,
        device: "sd{a}1",
        meta: "rack 7 {ip}",
    };
    let as_dict = json!({
        "ip": device.ip, "port": device.port, "replication_ip": device.replication_ip,
        "replication_port": device.replication_port, "region": device.region, "zone": device.zone,
        "device": device.device, "meta": device.meta,
    });
    let stock = Mutex::new(Stock::start());
    let variable = "\\{(ip|port|replication_ip|replication_port|region|zone|device|meta|disk|)\\}";
    let piece = prop_oneof![4 => variable, 2 => "[a-z:/]{1,3}", 1 => "\\{\\{|\\}\\}", 1 => "[{}]", 1 => "/"];
    let template = prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat());
    proptest!(ProptestConfig::with_cases(1000), |(template in template)| {
        let question = json!({ "about": "rsync_module", "template": template, "device": as_dict });
        let theirs = stock.lock().unwrap().ask(&question).ok();
        let ours = template.parse::<RsyncModule>().ok().map(|module| json!(module.for_device(&device)));
        prop_assert_eq!(ours, theirs, "{}", template);
    });
}
