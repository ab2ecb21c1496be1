/* SPDX-License-Identifier: Apache-2.0
 * fuzz.h - what a fuzz target is. */
#pragma once

#include <meridian/base.h>

/* One input, any bytes. Returns 0; a broken promise is MER_ASSERT. Keeps nothing from one input to the next but tables made once. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
