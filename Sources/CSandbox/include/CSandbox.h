// The one header of the module: what Swift sees of our C.
#ifndef CSANDBOX_H
#define CSANDBOX_H
#include "sandbox.h"
#include "netlink.h"
#include "fdpass.h"
#endif
