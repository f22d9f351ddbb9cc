/// The version that `symbolon plugin list` shows; `Scripts/build-variant` builds the other one for reload tests.
#if SYMBOLON_EDGE_NEXT
  let version = "0.1.1"
#else
  let version = "0.1.0"
#endif
