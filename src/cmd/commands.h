/* Every command of the program; registry.c puts them in order. Keep the lines alphabetical. */
#ifndef CMD_COMMANDS_H
#define CMD_COMMANDS_H

#include "cmd/command.h"

extern const struct command command_audit;
extern const struct command command_completion;
extern const struct command command_configuration;
extern const struct command command_consume;
extern const struct command command_demo;
extern const struct command command_doctor;
extern const struct command command_file;
extern const struct command command_inspect;
extern const struct command command_key;
extern const struct command command_man;
extern const struct command command_policy;
extern const struct command command_produce;
extern const struct command command_protect;
extern const struct command command_pump;
extern const struct command command_reveal;
extern const struct command command_rewrap;
extern const struct command command_sample;
extern const struct command command_scan;
extern const struct command command_store;
extern const struct command command_token;
extern const struct command command_verify;
extern const struct command command_version;

#endif
