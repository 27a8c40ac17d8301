/* A library that a module links to and that is not there when the module is loaded. */
int penstock_test_gone(void);
int penstock_test_gone(void) { return 0; }
