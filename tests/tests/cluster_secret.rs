//! Clusters with a secret: who has it is listened to, whoever else changes nothing, and stock does not mind being sent it.

mod cluster_secret {
    mod changed;
    mod nodes;
}
