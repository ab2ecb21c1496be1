/* SPDX-License-Identifier: Apache-2.0
 * print.h - a plan for people, for machines and for Terraform; and where every figure comes from. */
#pragma once

#include <stdio.h>

#include "infra/planner/inputs.h"

void plan_print_table(const struct plan_result *r, const struct plan_inputs *in, FILE *out);
void plan_print_json(const struct plan_result *r, const struct plan_inputs *in, FILE *out);
/* Lines for terraform/live/<env>/environment.yaml and for geo/footprint.yaml. */
void plan_print_terraform(const struct plan_result *r, const struct plan_inputs *in, FILE *out);
void plan_print_inputs(const struct plan_inputs *in, FILE *out);
