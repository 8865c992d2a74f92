/* What completes commands, options and their values in bash, zsh and fish, from the same tables as the help. */
#include "help.h"

#include <stdio.h>
#include <string.h>

/* What a word of the help ("DATA", "NET", "adam|sgd") can be completed with. */
struct values {
    struct text words; /* with blanks between */
    bool folders, files;
};

static void add_word(struct values *v, const char *word, size_t len)
{
    text_add(&v->words, "%s%.*s", v->words.len ? " " : "", (int)len, word);
}

static void add_nets(struct values *v)
{
    struct arena arena = {0};
    char **names;
    size_t n;
    if (net_names(&arena, &names, &n) != ST_OK)
        n = 0; /* then there is none to offer */
    for (size_t i = 0; i < n; i++)
        add_word(v, names[i], strlen(names[i]));
    arena_free(&arena);
}

static void find_values(const char *value, struct values *v)
{
    static const char *const picks[] = {"cpu", "gpu", "accel", "all"};
    *v = (struct values){0};
    if (strcmp(value, "DATA") == 0) {
        for (size_t i = 0; data_known_name(i); i++)
            add_word(v, data_known_name(i), strlen(data_known_name(i)));
        v->folders = true;
    } else if (strcmp(value, "SPEC") == 0) {
        for (size_t i = 0; i < COUNT_OF(picks); i++)
            add_word(v, picks[i], strlen(picks[i]));
    } else if (strcmp(value, "COMMAND") == 0) {
        for (size_t i = 0; commands[i]; i++)
            add_word(v, commands[i]->name, strlen(commands[i]->name));
    } else if (strcmp(value, "NET") == 0) {
        add_nets(v);
        v->files = true;
    } else if (strcmp(value, "RUN") == 0 || strcmp(value, "DIR") == 0) {
        v->folders = true;
    } else if (strncmp(value, "IMAGE", 5) == 0 || strncmp(value, "FILE", 4) == 0) {
        v->files = true;
    } else if (strchr(value, '|')) {
        for (size_t len; *value; value += len + (value[len] != '\0')) {
            len = strcspn(value, "|");
            add_word(v, value, len);
        }
    }
}

/* The words of a command that are no options. */
static void find_positional(const struct arg_list *l, struct values *v)
{
    char word[64];
    *v = (struct values){0};
    if (strncmp(l->usage, "help ", 5) == 0) {
        find_values("COMMAND", v);
        return;
    }
    for (int i = 0; args_positional(l, i, word, sizeof word); i++) {
        struct values more;
        find_values(word, &more);
        if (more.words.len)
            add_word(v, more.words.s, more.words.len);
        v->folders = v->folders || more.folders;
        v->files = v->files || more.files;
        text_free(&more.words);
    }
}

static const char *words_of(const struct values *v)
{
    return v->words.len ? v->words.s : "";
}

static int name_length(const struct arg_list *l)
{
    return (int)strcspn(l->usage, " \n");
}

/* ---- bash -------------------------------------------------------------------------------------------------------- */

static void add_bash_reply(struct text *out, const struct values *v)
{
    text_add(out, "COMPREPLY=($(compgen -W '%s' -- \"$cur\")", words_of(v));
    if (v->files || v->folders)
        text_add(out, " $(compgen -%s -- \"$cur\")", v->files ? "f" : "d");
    text_add(out, ")");
}

static void add_bash(void *user, const struct arg_list *l)
{
    struct text *out = user;
    struct values v;
    for (int i = 0; i < l->n; i++) {
        if (!l->args[i].value)
            continue;
        find_values(l->args[i].value, &v);
        text_add(out, "        %.*s:%s) ", name_length(l), l->usage, l->args[i].name);
        add_bash_reply(out, &v);
        text_add(out, "; return ;;\n");
        text_free(&v.words);
    }
    find_positional(l, &v);
    for (int i = 0; i < l->n; i++)
        add_word(&v, l->args[i].name, strlen(l->args[i].name));
    add_word(&v, "--help", 6);
    text_add(out, "        %.*s:*) ", name_length(l), l->usage);
    add_bash_reply(out, &v);
    text_add(out, " ;;\n");
    text_free(&v.words);
}

static enum st bash(struct text *out)
{
    struct values all;
    find_values("COMMAND", &all);
    text_add(out, "# completion of clutch for bash, made by `clutch help --completion bash`\n_clutch()\n{\n"
             "    local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
             "    compopt -o filenames 2>/dev/null\n    if [ \"$COMP_CWORD\" = 1 ]; then\n"
             "        COMPREPLY=($(compgen -W '%s' -- \"$cur\"))\n        return\n    fi\n"
             "    case ${COMP_WORDS[1]}:$previous in\n", words_of(&all));
    text_free(&all.words);
    enum st s = each_option_list(add_bash, out);
    text_add(out, "    esac\n}\ncomplete -F _clutch clutch\n");
    return s;
}

/* ---- zsh --------------------------------------------------------------------------------------------------------- */

/* In single quotes, where brackets and colons of a description are for _arguments. */
static void add_zsh_text(struct text *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '\'')
            text_add(out, "'\\''");
        else
            text_add(out, strchr("[]:\\", *s) ? "\\%c" : "%c", *s);
    }
}

static void add_zsh_action(struct text *out, const char *value, const struct values *v)
{
    text_add(out, ":");
    add_zsh_text(out, value);
    text_add(out, ":");
    if (v->words.len && (v->files || v->folders))
        text_add(out, "{_alternative \"words\\:\\:(%s)\" \"files\\:\\:_files%s\"}", words_of(v),
                 v->files ? "" : " -/"); /* a bare colon would end the action */
    else if (v->words.len)
        text_add(out, "(%s)", words_of(v));
    else if (v->files || v->folders)
        text_add(out, "_files%s", v->files ? "" : " -/");
}

static void add_zsh(void *user, const struct arg_list *l)
{
    struct text *out = user;
    struct values v;
    text_add(out, "        %.*s) _arguments -S", name_length(l), l->usage);
    for (int i = 0; i < l->n; i++) {
        const struct arg *a = &l->args[i];
        text_add(out, " \\\n            '%s[", a->name);
        add_zsh_text(out, a->help);
        text_add(out, "]");
        if (a->value) {
            find_values(a->value, &v);
            add_zsh_action(out, a->value, &v);
            text_free(&v.words);
        }
        text_add(out, "'");
    }
    find_positional(l, &v);
    text_add(out, " \\\n            '*");
    add_zsh_action(out, "argument", &v);
    text_add(out, "' ;;\n");
    text_free(&v.words);
}

static enum st zsh(struct text *out)
{
    text_add(out, "#compdef clutch\n# made by `clutch help --completion zsh`\n"
             "if (( CURRENT == 2 )); then\n    local -a commands=(\n");
    for (size_t i = 0; commands[i]; i++) {
        text_add(out, "        '%s:", commands[i]->name);
        add_zsh_text(out, commands[i]->summary);
        text_add(out, "'\n");
    }
    text_add(out, "    )\n    _describe command commands\nelse\n    local command=$words[2]\n    shift words\n"
             "    (( CURRENT-- ))\n    case $command in\n");
    enum st s = each_option_list(add_zsh, out);
    text_add(out, "    esac\nfi\n");
    return s;
}

/* ---- fish -------------------------------------------------------------------------------------------------------- */

static void add_fish_text(struct text *out, const char *s)
{
    for (; *s; s++)
        text_add(out, *s == '\'' || *s == '\\' ? "\\%c" : "%c", *s);
}

static void add_fish_values(struct text *out, const struct values *v)
{
    text_add(out, " -%s", v->files || v->folders ? "F" : "f"); /* fish knows no folders alone that words may join */
    if (v->words.len)
        text_add(out, " -a '%s'", words_of(v));
}

static void add_fish(void *user, const struct arg_list *l)
{
    struct text *out = user;
    struct values v;
    char start[96];
    snprintf(start, sizeof start, "complete -c clutch -n '__fish_seen_subcommand_from %.*s'", name_length(l), l->usage);
    find_positional(l, &v);
    text_add(out, "%s", start);
    add_fish_values(out, &v);
    text_add(out, "\n");
    text_free(&v.words);
    for (int i = 0; i < l->n; i++) {
        const struct arg *a = &l->args[i];
        text_add(out, "%s -l %s -d '", start, a->name + 2);
        add_fish_text(out, a->help);
        text_add(out, "'");
        if (a->value) {
            find_values(a->value, &v);
            text_add(out, " -r");
            add_fish_values(out, &v);
            text_free(&v.words);
        }
        text_add(out, "\n");
    }
}

static enum st fish(struct text *out)
{
    text_add(out, "# completion of clutch for fish, made by `clutch help --completion fish`\n");
    for (size_t i = 0; commands[i]; i++) {
        text_add(out, "complete -c clutch -f -n __fish_use_subcommand -a %s -d '", commands[i]->name);
        add_fish_text(out, commands[i]->summary);
        text_add(out, "'\n");
    }
    return each_option_list(add_fish, out);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    enum st (*write)(struct text *out);
} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

static const char *shell_name(const void *unused, size_t i)
{
    (void)unused;
    return i < COUNT_OF(shells) ? shells[i].name : NULL;
}

enum st print_completion(const char *shell)
{
    struct text out = {0};
    char unknown[SHOW_UNKNOWN_MAX];
    for (size_t i = 0; i < COUNT_OF(shells); i++) {
        if (strcmp(shells[i].name, shell) != 0)
            continue;
        enum st s = shells[i].write(&out);
        return output_text(s, &out);
    }
    return st_fail(ST_INPUT, "%s", show_unknown(unknown, sizeof unknown, "shell", shell, shell_name, NULL));
}
