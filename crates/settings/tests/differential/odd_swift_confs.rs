/// Odd texts of a swift.conf.
pub(crate) const SWIFT_CONFS: &[(&str, &[u8])] = &[
    ("empty", b""),
    ("no hash section", b"[swift-constraints]\n"),
    ("hash section without salt", b"[swift-hash]\n"),
    ("suffix", b"[swift-hash]\nswift_hash_path_suffix = changeme\n"),
    ("prefix", b"[swift-hash]\nswift_hash_path_prefix = changeme\n"),
    ("both", b"[swift-hash]\nswift_hash_path_suffix = a\nswift_hash_path_prefix: b\n"),
    ("both empty", b"[swift-hash]\nswift_hash_path_suffix =\nswift_hash_path_prefix =\n"),
    ("one empty", b"[swift-hash]\nswift_hash_path_suffix = a\nswift_hash_path_prefix =\n"),
    ("upper-case key", b"[swift-hash]\nSWIFT_HASH_PATH_SUFFIX = a\n"),
    ("doubles by case", b"[swift-hash]\nSWIFT_HASH_PATH_SUFFIX = a\nswift_hash_path_suffix = b\n"),
    ("upper-case section", b"[SWIFT-HASH]\nswift_hash_path_suffix = a\n"),
    ("from default", b"[DEFAULT]\nswift_hash_path_suffix = a\n[swift-hash]\n"),
    ("bare percent", b"[swift-hash]\nswift_hash_path_suffix = 100%\n"),
    ("double percent", b"[swift-hash]\nswift_hash_path_suffix = 100%%\n"),
    ("reference", b"[swift-hash]\nx = 1\nswift_hash_path_suffix = %(X)sa\n"),
    ("missing reference", b"[swift-hash]\nswift_hash_path_suffix = %(x)s\n"),
    ("bare percent elsewhere", b"[swift-hash]\nx = 5%\nswift_hash_path_suffix = a\n[y]\nz = %\n"),
    ("multi-line", b"[swift-hash]\nswift_hash_path_suffix = a\n  b\n"),
    ("utf-8", b"[swift-hash]\nswift_hash_path_suffix = caf\xc3\xa9\n"),
    ("utf-8 that ends like a latin-1 blank", b"[swift-hash]\nswift_hash_path_suffix = \xc3\xa0\n"),
    ("latin-1", b"[swift-hash]\nswift_hash_path_suffix = caf\xe9\n"),
    ("inline comment", b"[swift-hash]\nswift_hash_path_suffix = a # b\n"),
    ("double key elsewhere", b"[swift-hash]\nswift_hash_path_suffix = a\n[x]\na = 1\nA = 2\n"),
    ("double section", b"[swift-hash]\nswift_hash_path_suffix = a\n[swift-hash]\n"),
    ("bad line", b"[swift-hash]\nswift_hash_path_suffix a\n"),
    ("windows line ends", b"[swift-hash]\r\nswift_hash_path_suffix = a\r\n"),
];

/// Odd storage policies; a hash section is put before each.
pub(crate) const POLICIES: &[(&str, &str)] = &[
    ("policy zero", "[storage-policy:0]\nname = gold\n"),
    ("two", "[storage-policy:0]\nname = gold\ndefault = yes\n[storage-policy:1]\nname = silver\n"),
    ("order of the file", "[storage-policy:7]\nname = a\n[storage-policy:0]\nname = b\ndefault = yes\n"),
    ("without zero", "[storage-policy:1]\nname = gold\ndefault = yes\n"),
    ("without default", "[storage-policy:0]\nname = gold\n[storage-policy:1]\nname = silver\n"),
    (
        "two defaults",
        "[storage-policy:0]\nname = a\ndefault = 1\n[storage-policy:1]\nname = b\ndefault = t\n",
    ),
    ("default no", "[storage-policy:0]\nname = gold\ndefault = no\n"),
    ("index blanks", "[storage-policy: 0 ]\nname = gold\n"),
    ("index leading zeros", "[storage-policy:00]\nname = gold\n"),
    ("index twice", "[storage-policy:0]\nname = a\ndefault = yes\n[storage-policy:00]\nname = b\n"),
    ("index no number", "[storage-policy:x]\nname = gold\n"),
    ("index empty", "[storage-policy:]\nname = gold\n"),
    ("index negative", "[storage-policy:-1]\nname = gold\n"),
    ("index fraction", "[storage-policy:1.0]\nname = gold\n"),
    ("index with colon", "[storage-policy:0:1]\nname = gold\n"),
    ("upper-case section", "[Storage-Policy:1]\nname = gold\n"),
    ("no name", "[storage-policy:0]\n"),
    ("empty name", "[storage-policy:0]\nname =\n"),
    ("bad name", "[storage-policy:0]\nname = gold_1\n"),
    ("non-ascii name", "[storage-policy:0]\nname = g\u{f6}ld\n"),
    ("legacy name for zero", "[storage-policy:0]\nname = policy-0\n"),
    (
        "legacy name for one",
        "[storage-policy:0]\nname = a\ndefault = y\n[storage-policy:1]\nname = POLICY-0\n",
    ),
    ("same name", "[storage-policy:0]\nname = a\ndefault = y\n[storage-policy:1]\nname = A\n"),
    ("aliases", "[storage-policy:0]\nname = a\naliases = b, a ,, c\n"),
    ("alias twice", "[storage-policy:0]\nname = a\naliases = b, B\n"),
    ("alias like the name", "[storage-policy:0]\nname = a\naliases = A\n"),
    (
        "alias of another",
        "[storage-policy:0]\nname = a\ndefault = y\n[storage-policy:1]\nname = b\naliases = a\n",
    ),
    ("bad alias", "[storage-policy:0]\nname = a\naliases = b c\n"),
    (
        "deprecated",
        "[storage-policy:0]\nname = a\ndefault = y\n[storage-policy:1]\nname = b\ndeprecated = y\n",
    ),
    ("all deprecated", "[storage-policy:0]\nname = a\ndeprecated = y\n"),
    ("deprecated default", "[storage-policy:0]\nname = a\ndeprecated = y\ndefault = y\n"),
    ("unknown option", "[storage-policy:0]\nname = a\ncolour = red\n"),
    ("option from default", "[DEFAULT]\ncolour = red\n[storage-policy:0]\nname = a\n"),
    ("upper-case option", "[storage-policy:0]\nNAME = a\n"),
    ("unknown type", "[storage-policy:0]\nname = a\npolicy_type = raid\n"),
    ("replication type", "[storage-policy:0]\nname = a\npolicy_type = replication\n"),
    ("ec option without ec", "[storage-policy:0]\nname = a\nec_type = liberasurecode_rs_vand\n"),
    ("bare percent", "[storage-policy:0]\nname = a\naliases = 5%\n"),
    ("bare percent in diskfile", "[storage-policy:0]\nname = a\ndiskfile_module = 5%\n"),
    ("reference", "[storage-policy:0]\nname = a\naliases = %(name)sb\n"),
    (
        "erasure code",
        "[storage-policy:0]\nname = a\npolicy_type = erasure_coding\nec_type = liberasurecode_rs_vand\n\
         ec_num_data_fragments = 4\nec_num_parity_fragments = 2\n",
    ),
    ("erasure code without type", "[storage-policy:0]\nname = a\npolicy_type = erasure_coding\n"),
    (
        "erasure code without parity",
        "[storage-policy:0]\nname = a\npolicy_type = erasure_coding\nec_type = liberasurecode_rs_vand\n\
         ec_num_data_fragments = 4\n",
    ),
    (
        "erasure code with no data",
        "[storage-policy:0]\nname = a\npolicy_type = erasure_coding\nec_type = liberasurecode_rs_vand\n\
         ec_num_data_fragments = 0\nec_num_parity_fragments = 2\n",
    ),
    (
        "erasure code with bad duplication",
        "[storage-policy:0]\nname = a\npolicy_type = erasure_coding\nec_type = liberasurecode_rs_vand\n\
         ec_num_data_fragments = 4\nec_num_parity_fragments = 2\nec_duplication_factor = 0\n",
    ),
    (
        "erasure code with bad segments",
        "[storage-policy:0]\nname = a\npolicy_type = erasure_coding\nec_type = liberasurecode_rs_vand\n\
         ec_num_data_fragments = 4\nec_num_parity_fragments = 2\nec_object_segment_size = big\n",
    ),
    (
        "harmful erasure code",
        "[storage-policy:0]\nname = a\npolicy_type = erasure_coding\nec_type = isa_l_rs_vand\n\
         ec_num_data_fragments = 4\nec_num_parity_fragments = 5\n",
    ),
];
