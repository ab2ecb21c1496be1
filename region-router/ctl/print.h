/* SPDX-License-Identifier: Apache-2.0
 * print.h - what print.c and print_world.c share (ctl.h). */
#pragma once

#include "region-router/ctl/ctl.h"

#define CV1(x) Meridian__Control__V1__##x
#define ANSWER(x) MERIDIAN__CONTROL__V1__ANSWER__BODY_##x

void ctl__print_regions(const CV1(RegionsState) * r, FILE *out);
void ctl__print_outbox(const CV1(OutboxState) * o, FILE *out);
void ctl__print_journal(const CV1(JournalState) * j, FILE *out);
void ctl__print_geo(const CV1(GeoState) * g, FILE *out);
