/* SPDX-License-Identifier: Apache-2.0
 * unit.h - what every unit test includes: cmocka with the headers it forgets to include. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
