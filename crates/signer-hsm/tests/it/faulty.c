/* A PKCS#11 module that forwards calls to SoftHSM and fails on command: it reads one line from a
   file, "function code count" or "Sign hang 0", before each call of that function. Every login is
   recorded in another file. Built by the tests, which define REAL and FOLDER. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long rv_t;
enum { GET_SLOT_LIST = 4, OPEN_SESSION = 12, LOGIN = 18, SIGN = 43, FUNCTIONS = 68 };

/* CK_FUNCTION_LIST: a version of two bytes, then pointers in the order of the standard. */
static struct list { unsigned char version[8]; void *call[FUNCTIONS]; } real, ours;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char last[128];
static int left;

/* The code that a call is to return, or 0; waits for as long as it is to hang. */
static rv_t fault(const char *function) {
    for (;;) {
        char line[128] = "", name[32] = "", code[32] = "";
        int count = 0;
        pthread_mutex_lock(&lock);
        FILE *file = fopen(FOLDER "/control", "r");
        if (file) {
            if (!fgets(line, sizeof line, file)) line[0] = 0;
            fclose(file);
        }
        sscanf(line, "%31s %31s %d", name, code, &count);
        if (strcmp(line, last)) {
            strcpy(last, line);
            left = count;
        }
        int meant = !strcmp(name, function);
        int hang = meant && !strcmp(code, "hang");
        rv_t rv = meant && !hang && left > 0 ? strtoul(code, 0, 0) : 0;
        if (rv) left--;
        pthread_mutex_unlock(&lock);
        if (!hang) return rv;
        usleep(2000);
    }
}

static rv_t get_slot_list(unsigned char present, unsigned long *slots, unsigned long *count) {
    rv_t rv = fault("GetSlotList");
    return rv ? rv
              : ((rv_t(*)(unsigned char, unsigned long *, unsigned long *))real.call[GET_SLOT_LIST])(
                    present, slots, count);
}

static rv_t open_session(unsigned long slot, unsigned long flags, void *app, void *notify, unsigned long *session) {
    rv_t rv = fault("OpenSession");
    return rv ? rv
              : ((rv_t(*)(unsigned long, unsigned long, void *, void *, unsigned long *))real.call[OPEN_SESSION])(
                    slot, flags, app, notify, session);
}

static rv_t login(unsigned long session, unsigned long user, unsigned char *pin, unsigned long len) {
    FILE *file = fopen(FOLDER "/logins", "a");
    if (file) {
        fputs("login\n", file);
        fclose(file);
    }
    rv_t rv = fault("Login");
    return rv ? rv
              : ((rv_t(*)(unsigned long, unsigned long, unsigned char *, unsigned long))real.call[LOGIN])(
                    session, user, pin, len);
}

static rv_t sign(unsigned long session, unsigned char *data, unsigned long len, unsigned char *out, unsigned long *out_len) {
    rv_t rv = out ? fault("Sign") : 0;
    if (rv && rv != 0xbad) return rv;
    rv_t done = ((rv_t(*)(unsigned long, unsigned char *, unsigned long, unsigned char *, unsigned long *))real.call[SIGN])(
        session, data, len, out, out_len);
    if (rv == 0xbad) out[40] ^= 1;
    return done;
}

rv_t C_GetFunctionList(void **list) {
    void *library = dlopen(REAL, RTLD_NOW | RTLD_LOCAL);
    if (!library) return 5;
    rv_t (*get)(struct list **) = (rv_t(*)(struct list **))dlsym(library, "C_GetFunctionList");
    struct list *theirs;
    if (!get || get(&theirs)) return 5;
    real = ours = *theirs;
    ours.call[GET_SLOT_LIST] = get_slot_list;
    ours.call[OPEN_SESSION] = open_session;
    ours.call[LOGIN] = login;
    ours.call[SIGN] = sign;
    *list = &ours;
    return 0;
}
