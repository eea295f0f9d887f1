/* A PKCS#11 module that is SoftHSM with the quirks of other modules, switched on by name.

   FOLDER/quirks  the quirks, separated by commas, some with a value after `=`; read at each call
   FOLDER/calls   gets a line for each relevant call
   REAL           the module behind it
   PIN, SO_PIN    the PINs entered on the pad

   Built by the tests, which define these. */
#include "pkcs11.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static CK_FUNCTION_LIST *real, mine;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void record(const char *format, ...) {
    FILE *file = fopen(FOLDER "/calls", "a");
    if (!file) return;
    va_list args;
    va_start(args, format);
    vfprintf(file, format, args);
    va_end(args);
    fputc('\n', file);
    fclose(file);
}

/* The value of a quirk, "" if it has none, or NULL. */
static const char *has(const char *name) {
    static __thread char text[512], value[128];
    text[0] = 0;
    FILE *file = fopen(FOLDER "/quirks", "r");
    if (file) {
        if (!fgets(text, sizeof text, file)) text[0] = 0;
        fclose(file);
    }
    char *save, *one = strtok_r(text, ",\n", &save);
    for (; one; one = strtok_r(NULL, ",\n", &save)) {
        char *equals = strchr(one, '=');
        size_t len = equals ? (size_t)(equals - one) : strlen(one);
        if (strlen(name) == len && !strncmp(one, name, len)) {
            snprintf(value, sizeof value, "%s", equals ? equals + 1 : "");
            return value;
        }
    }
    return NULL;
}

static int is(const char *name, const char *value) {
    const char *found = has(name);
    return found && !strcmp(found, value);
}

static CK_RV code_or(const char *name, CK_RV other) {
    const char *code = has(name);
    return code && *code ? strtoul(code, 0, 16) : other;
}

/* ---- the module and its tokens ---- */

static int dead;     /* whether the device is dead, until the module is finalised */
static int signs;    /* number of signatures requested */

static CK_RV initialize(void *args) {
    CK_C_INITIALIZE_ARGS *given = args;
    record("C_Initialize flags=%lx", given ? given->flags : 0);
    if (has("cantlock") && given && given->flags & CKF_OS_LOCKING_OK) return CKR_CANT_LOCK;
    while (has("inithang")) usleep(2000);
    if (has("noenv")) return CKR_FUNCTION_FAILED; /* a variable or file is missing */
    return real->C_Initialize(args);
}

static CK_RV finalize(void *reserved) {
    record("C_Finalize");
    dead = 0;
    return real->C_Finalize(reserved);
}

/* Pads a field of blanks with zero bytes, or moves its text to the end. */
static void pad(CK_UTF8CHAR *field, size_t len, const char *how) {
    size_t text = len;
    while (text && field[text - 1] == ' ') text--;
    if (!strcmp(how, "nul")) memset(field + text, 0, len - text);
    if (!strcmp(how, "front")) {
        memmove(field + len - text, field, text);
        memset(field, ' ', len - text);
    }
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info) {
    CK_RV rv = real->C_GetTokenInfo(slot, info);
    if (rv) return rv;
    const char *how;
    if (has("wrprot")) info->flags |= CKF_WRITE_PROTECTED;
    if (has("pinpad")) info->flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
    if (has("noflag")) info->flags &= ~(CK_FLAGS)CKF_TOKEN_INITIALIZED;
    if (is("noflag", "pin") || is("noflag", "objects")) memset(info->label, ' ', sizeof info->label);
    if (is("noflag", "objects")) info->flags &= ~(CK_FLAGS)CKF_USER_PIN_INITIALIZED;
    if ((how = has("padtoken"))) {
        pad(info->label, sizeof info->label, how);
        pad(info->serialNumber, sizeof info->serialNumber, how);
    }
    return rv;
}

/* A person enters the PIN, and the caller must not pass one. */
static int at_pad(CK_UTF8CHAR **pin, CK_ULONG *len, CK_USER_TYPE user) {
    if (!has("pinpad")) return 1;
    if (*pin) return 0;
    *pin = (CK_UTF8CHAR *)(user == CKU_SO ? SO_PIN : PIN);
    *len = strlen((char *)*pin);
    return 1;
}

static CK_RV init_token(CK_SLOT_ID slot, CK_UTF8CHAR *pin, CK_ULONG len, CK_UTF8CHAR *label) {
    record("C_InitToken");
    if (!at_pad(&pin, &len, CKU_SO)) return CKR_ARGUMENTS_BAD;
    return real->C_InitToken(slot, pin, len, label);
}

static CK_RV init_pin(CK_SESSION_HANDLE session, CK_UTF8CHAR *pin, CK_ULONG len) {
    if (!at_pad(&pin, &len, CKU_USER)) return CKR_ARGUMENTS_BAD;
    return real->C_InitPIN(session, pin, len);
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *app, void *notify, CK_SESSION_HANDLE *session) {
    int rw = !!(flags & CKF_RW_SESSION);
    CK_RV rv;
    if (has("noro") && !rw) rv = code_or("noro", CKR_FUNCTION_FAILED);
    else if (has("wrprot") && rw) rv = CKR_TOKEN_WRITE_PROTECTED;
    else if (dead) rv = CKR_DEVICE_ERROR;
    else rv = real->C_OpenSession(slot, flags, app, notify, session);
    record("C_OpenSession rw=%d -> %lx", rw, rv);
    return rv;
}

static __thread CK_SESSION_HANDLE given_for; /* the session for which the PIN was given once */

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG len) {
    record("C_Login user=%lu pin=%d", user, pin != 0);
    if (!at_pad(&pin, &len, user)) return CKR_ARGUMENTS_BAD;
    if (user == CKU_CONTEXT_SPECIFIC && has("eachuse")) {
        if (is("eachuse", "refused") || len != strlen(PIN) || memcmp(pin, PIN, len)) return 0xa0;
        given_for = session;
        return CKR_OK;
    }
    while (has("loginhang")) usleep(2000);
    if (has("loginfails")) return CKR_FUNCTION_FAILED;
    return real->C_Login(session, user, pin, len);
}

/* ---- objects ---- */

static CK_OBJECT_CLASS class_of(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
    CK_OBJECT_CLASS class = 99;
    CK_ATTRIBUTE attribute = {CKA_CLASS, &class, sizeof class};
    real->C_GetAttributeValue(session, object, &attribute, 1);
    return class;
}

static CK_RV find_objects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG most, CK_ULONG *count) {
    CK_RV rv = real->C_FindObjects(session, objects, most, count);
    if (rv || !has("nopub")) return rv;
    CK_ULONG kept = 0;
    for (CK_ULONG i = 0; i < *count; i++)
        if (class_of(session, objects[i]) != CKO_PUBLIC_KEY) objects[kept++] = objects[i];
    *count = kept;
    return rv;
}

static CK_RV find_objects_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count) {
    /* Only two bytes of a longer id are kept, and nothing is found by a padded label. */
    for (CK_ULONG i = 0; i < count; i++) {
        int lost = (has("id2") && template[i].type == CKA_ID && template[i].ulValueLen > 2) ||
                   (has("padlabel") && template[i].type == CKA_LABEL);
        if (!lost) continue;
        CK_ATTRIBUTE other[16];
        memcpy(other, template, count * sizeof *template);
        other[i].pValue = "nothing is called this";
        other[i].ulValueLen = 22;
        return real->C_FindObjectsInit(session, other, count);
    }
    return real->C_FindObjectsInit(session, template, count);
}

/* Returns a value as C_GetAttributeValue does. */
static CK_RV give(CK_ATTRIBUTE *attribute, const void *value, CK_ULONG len) {
    if (!attribute->pValue) {
        attribute->ulValueLen = len;
        return CKR_OK;
    }
    if (attribute->ulValueLen < len) {
        attribute->ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_BUFFER_TOO_SMALL;
    }
    memcpy(attribute->pValue, value, len);
    attribute->ulValueLen = len;
    return CKR_OK;
}

static CK_RV none(CK_ATTRIBUTE *attribute) {
    attribute->ulValueLen = CK_UNAVAILABLE_INFORMATION;
    return CKR_ATTRIBUTE_TYPE_INVALID;
}

/* A header followed by its content. */
static CK_RV headed(CK_ATTRIBUTE *attribute, const char *head, CK_ULONG head_len, const CK_BYTE *rest, CK_ULONG len) {
    CK_BYTE whole[200];
    memcpy(whole, head, head_len);
    memcpy(whole + head_len, rest, len);
    return give(attribute, whole, head_len + len);
}
#define HEADED(head, rest, len) headed(attribute, head, sizeof head - 1, rest, len)

static CK_RV point(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attribute, const char *form) {
    CK_BYTE octets[128] = {0};
    CK_ATTRIBUTE whole = {CKA_EC_POINT, octets, sizeof octets};
    CK_RV rv = real->C_GetAttributeValue(session, object, &whole, 1);
    if (rv || whole.ulValueLen != 67) return rv ? rv : CKR_GENERAL_ERROR;
    CK_BYTE *raw = octets + 2, odd = raw[64] & 1; /* 04 X Y */
    if (!strcmp(form, "raw")) return give(attribute, raw, 65);
    if (!strcmp(form, "xy")) return give(attribute, raw + 1, 64);
    if (!strcmp(form, "long")) return HEADED("\4\x81\x41", raw, 65);
    if (!strcmp(form, "longer")) return HEADED("\4\x82\0\x41", raw, 65);
    if (!strcmp(form, "bits")) return HEADED("\3\x42\0", raw, 65);
    if (!strcmp(form, "spki"))
        return HEADED("\x30\x56\x30\x10\6\7\x2a\x86\x48\xce\x3d\2\1\6\5\x2b\x81\4\0\12\3\x42\0", raw, 65);
    if (!strcmp(form, "trail")) return give(attribute, octets, 70);
    if (!strcmp(form, "hybrid")) return raw[0] = 6 + odd, HEADED("\4\x41", raw, 65);
    if (!strcmp(form, "comp")) return raw[0] = 2 + odd, HEADED("\4\x21", raw, 33);
    if (!strcmp(form, "rawcomp")) return raw[0] = 2 + odd, give(attribute, raw, 33);
    return none(attribute);
}

static CK_RV params(CK_ATTRIBUTE *attribute, const char *form) {
    if (!strcmp(form, "name")) return give(attribute, "\x13\x09secp256k1", 11);
    if (!strcmp(form, "utf8name")) return give(attribute, "\x0c\x09secp256k1", 11);
    if (!strcmp(form, "barename")) return give(attribute, "secp256k1", 9);
    if (!strcmp(form, "empty")) return give(attribute, "", 0);
    if (!strcmp(form, "bareoid")) return give(attribute, "\x2b\x81\4\0\12", 5);
    if (!strcmp(form, "zeros")) { /* a header followed by zeros */
        CK_BYTE zeros[168] = {0x30, 0x81, 0xa5, 2, 1, 1, 0x30, 0x2c, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 1, 1, 2, 0x21};
        return give(attribute, zeros, sizeof zeros);
    }
    if (!strcmp(form, "explicit")) {
        static const char whole[] = "\x30\x81\x82\2\1\1\x30\x2c\6\7\x2a\x86\x48\xce\x3d\1\1\2\x21\0"
            "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xfc\x2f"
            "\x30\6\4\1\0\4\1\7\4\x21\2"
            "\x79\xbe\x66\x7e\xf9\xdc\xbb\xac\x55\xa0\x62\x95\xce\x87\x0b\x07\x02\x9b\xfc\xdb\x2d\xce\x28\xd9\x59\xf2\x81\x5b\x16\xf8\x17\x98"
            "\2\x21\0"
            "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xba\xae\xdc\xe6\xaf\x48\xa0\x3b\xbf\xd2\x5e\x8c\xd0\x36\x41\x41"
            "\2\1\1";
        return give(attribute, whole, sizeof whole - 1);
    }
    return none(attribute);
}

static CK_RV one(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_OBJECT_CLASS class, CK_ATTRIBUTE *attribute) {
    const char *value;
    int private = class == CKO_PRIVATE_KEY, public = class == CKO_PUBLIC_KEY;
    switch (attribute->type) {
    case CKA_EC_POINT:
        if (public && (value = has("ecpoint"))) return point(session, object, attribute, value);
        break;
    case CKA_EC_PARAMS:
        if ((value = has(private ? "privparams" : "pubparams"))) return params(attribute, value);
        break;
    case CKA_ID:
        if (!private && !public) break;
        if (!(value = has(private ? "privid" : "pubid"))) break;
        if (!strcmp(value, "none")) return none(attribute);
        return give(attribute, value, strcmp(value, "empty") ? strlen(value) : 0);
    case CKA_LABEL:
        if ((value = has("padlabel"))) {
            CK_BYTE text[64];
            memset(text, !strcmp(value, "nul") ? 0 : ' ', sizeof text);
            CK_ATTRIBUTE own = {CKA_LABEL, text + 8, 32};
            CK_RV rv = real->C_GetAttributeValue(session, object, &own, 1);
            if (rv) return rv;
            return strcmp(value, "front") ? give(attribute, text + 8, 40) : give(attribute, text, 8 + own.ulValueLen);
        }
        break;
    case CKA_SIGN:
        if (has("nosignattr")) return none(attribute);
        break;
    case CKA_ALWAYS_AUTHENTICATE:
        if (is("eachuse", "untold") || is("eachuse", "refused")) return none(attribute);
        if (private && has("eachuse")) return give(attribute, "\1", 1);
        break;
    }
    return real->C_GetAttributeValue(session, object, attribute, 1);
}

static CK_RV get_attribute_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG count) {
    CK_OBJECT_CLASS class = class_of(session, object);
    CK_RV worst = CKR_OK;
    for (CK_ULONG i = 0; has("allornothing") && i < count; i++) {
        /* One missing attribute makes the others unavailable. */
        CK_ATTRIBUTE asked = {template[i].type, NULL, 0};
        CK_RV rv = one(session, object, class, &asked);
        if (rv != CKR_ATTRIBUTE_TYPE_INVALID) continue;
        for (CK_ULONG k = 0; k < count; k++) template[k].ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return rv;
    }
    for (CK_ULONG i = 0; i < count; i++) {
        CK_RV rv = one(session, object, class, &template[i]);
        if (rv) worst = rv;
    }
    return worst;
}

static int among(const CK_ATTRIBUTE *template, CK_ULONG count, CK_ULONG type) {
    for (CK_ULONG i = 0; i < count; i++)
        if (template[i].type == type) return 1;
    return 0;
}

static CK_RV refusal(const CK_ATTRIBUTE *template, CK_ULONG count) {
    for (CK_ULONG i = 0; i < count; i++) {
        if (template[i].type != CKA_ID) continue;
        if (has("noidtemplate")) return CKR_ATTRIBUTE_TYPE_INVALID;
        if (has("idmax2") && template[i].ulValueLen > 2) return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    return CKR_OK;
}

static CK_RV generate_key_pair(CK_SESSION_HANDLE session, void *mechanism, CK_ATTRIBUTE *public, CK_ULONG publics,
                               CK_ATTRIBUTE *private, CK_ULONG privates, CK_OBJECT_HANDLE *one, CK_OBJECT_HANDLE *two) {
    CK_RV rv = refusal(public, publics);
    for (CK_ULONG i = 0; i < publics; i++)
        if (has("pubmustbeprivate") && public[i].type == CKA_PRIVATE && !*(CK_BBOOL *)public[i].pValue)
            rv = CKR_ATTRIBUTE_VALUE_INVALID;
    if (has("needkeytype") && !among(private, privates, CKA_KEY_TYPE)) rv = CKR_TEMPLATE_INCOMPLETE;
    if (has("needderive") && !among(private, privates, CKA_DERIVE)) rv = CKR_TEMPLATE_INCOMPLETE;
    if (!rv) rv = real->C_GenerateKeyPair(session, mechanism, public, publics, private, privates, one, two);
    record("C_GenerateKeyPair -> %lx", rv);
    return rv;
}

/* The public key that the module adds by itself to an imported private key. */
static void add_public(CK_SESSION_HANDLE session, CK_ATTRIBUTE *private, CK_ULONG count) {
    static CK_BYTE octets[67] = {4, 65}, yes = 1, no = 0;
    static CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    CK_ATTRIBUTE public[24];
    CK_ULONG kept = 0;
    FILE *file = fopen(FOLDER "/point", "r");
    if (!file || fread(octets + 2, 1, 65, file) != 65) return;
    fclose(file);
    for (CK_ULONG i = 0; i < count; i++)
        switch (private[i].type) {
        case CKA_LABEL: case CKA_ID: case CKA_KEY_TYPE: case CKA_EC_PARAMS: case CKA_TOKEN:
            public[kept++] = private[i];
        }
    public[kept++] = (CK_ATTRIBUTE){CKA_CLASS, &class, sizeof class};
    public[kept++] = (CK_ATTRIBUTE){CKA_EC_POINT, octets, sizeof octets};
    public[kept++] = (CK_ATTRIBUTE){CKA_PRIVATE, &no, 1};
    public[kept++] = (CK_ATTRIBUTE){CKA_VERIFY, &yes, 1};
    CK_OBJECT_HANDLE object;
    record("its own public key -> %lx", real->C_CreateObject(session, public, kept, &object));
}

static CK_RV create_object(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *object) {
    CK_OBJECT_CLASS class = 99;
    for (CK_ULONG i = 0; i < count; i++)
        if (template[i].type == CKA_CLASS) class = *(CK_OBJECT_CLASS *)template[i].pValue;
    if (has("nocreate")) return CKR_FUNCTION_NOT_SUPPORTED;
    if (class == CKO_PUBLIC_KEY && (has("virtualpub") || has("nopubcreate"))) return CKR_ATTRIBUTE_VALUE_INVALID;
    CK_RV rv = refusal(template, count);
    if (!rv) rv = real->C_CreateObject(session, template, count, object);
    if (!rv && class == CKO_PRIVATE_KEY && has("virtualpub")) add_public(session, template, count);
    return rv;
}

static CK_RV destroy_object(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
    record("C_DestroyObject");
    return real->C_DestroyObject(session, object);
}

/* ---- signatures ---- */

static CK_RV sign_init(CK_SESSION_HANDLE session, void *mechanism, CK_OBJECT_HANDLE key) {
    given_for = 0;
    return dead ? CKR_DEVICE_ERROR : real->C_SignInit(session, mechanism, key);
}

static CK_ULONG der_number(CK_BYTE *out, const CK_BYTE *number) {
    int len = 32;
    while (len > 1 && !*number) number++, len--;
    int zero = *number >> 7;
    out[0] = 2;
    out[1] = len + zero;
    out[2] = 0;
    memcpy(out + 2 + zero, number, len);
    return 2 + len + zero;
}

/* Converts a signature of 64 bytes to another form; returns its length. */
static CK_ULONG formed(CK_BYTE *out, const CK_BYTE *plain, const char *form) {
    if (!strncmp(form, "der", 3)) {
        CK_ULONG len = der_number(out + 2, plain);
        len += der_number(out + 2 + len, plain + 32);
        out[0] = 0x30;
        out[1] = len;
        len += 2;
        if (strcmp(form, "derpad")) return len;
        memset(out + len, 0, 72 - len); /* a fixed-size buffer */
        return 72;
    }
    if (!strcmp(form, "short")) { /* no leading zeros in either half */
        CK_ULONG r = 0, s = 32;
        while (r < 31 && !plain[r]) r++;
        while (s < 63 && !plain[s]) s++;
        memcpy(out, plain + r, 32 - r);
        memcpy(out + 32 - r, plain + s, 64 - s);
        return 96 - r - s;
    }
    if (!strcmp(form, "wide")) {
        memset(out, 0, 96);
        memcpy(out + 16, plain, 32);
        memcpy(out + 64, plain + 32, 32);
        return 96;
    }
    memcpy(out, plain, 64);
    if (!strcmp(form, "false")) out[40] ^= 1;
    return 64;
}

static CK_RV sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len, CK_BYTE *out, CK_ULONG *len) {
    const char *value;
    if (!out) {
        *len = 96;
        return CKR_OK;
    }
    pthread_mutex_lock(&lock);
    int number = ++signs;
    pthread_mutex_unlock(&lock);
    record("C_Sign");
    /* Calls up to this number, or all. */
    while ((value = has("hang")) && (!*value || number <= atoi(value))) usleep(2000);
    if (has("eachuse")) {
        int given = given_for == session;
        given_for = 0;
        CK_BYTE lost[64];
        CK_ULONG lost_len = sizeof lost;
        if (!given) {
            real->C_Sign(session, data, data_len, lost, &lost_len);
            return CKR_USER_NOT_LOGGED_IN;
        }
    }
    if ((value = has("diedevice")) && number == atoi(value)) dead = 1;
    CK_BYTE plain[64];
    CK_ULONG plain_len = sizeof plain;
    CK_RV rv = dead ? CKR_DEVICE_ERROR : real->C_Sign(session, data, data_len, plain, &plain_len);
    if (rv) return rv;
    if ((value = has("every")) && number % atoi(value) == 0) return code_or("code", CKR_GENERAL_ERROR);
    /* `short` only matters if there is a leading zero: in one signature of 128. */
    value = has("sig");
    CK_BYTE other[128];
    CK_ULONG other_len = formed(other, plain, value ? value : "");
    if (*len < other_len) return CKR_BUFFER_TOO_SMALL;
    memcpy(out, other, other_len);
    *len = other_len;
    return CKR_OK;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list) {
    if (!real) {
        void *library = dlopen(REAL, RTLD_NOW | RTLD_LOCAL);
        if (!library) return CKR_GENERAL_ERROR;
        CK_RV (*get)(CK_FUNCTION_LIST **) = (CK_RV(*)(CK_FUNCTION_LIST **))dlsym(library, "C_GetFunctionList");
        if (!get || get(&real)) return CKR_GENERAL_ERROR;
        mine = *real;
        mine.C_GetFunctionList = C_GetFunctionList;
        mine.C_Initialize = initialize;
        mine.C_Finalize = finalize;
        mine.C_GetTokenInfo = get_token_info;
        mine.C_InitToken = init_token;
        mine.C_InitPIN = init_pin;
        mine.C_OpenSession = open_session;
        mine.C_Login = login;
        mine.C_FindObjects = find_objects;
        mine.C_FindObjectsInit = find_objects_init;
        mine.C_GetAttributeValue = get_attribute_value;
        mine.C_GenerateKeyPair = generate_key_pair;
        mine.C_CreateObject = create_object;
        mine.C_DestroyObject = destroy_object;
        mine.C_SignInit = sign_init;
        mine.C_Sign = sign;
    }
    *list = &mine;
    return CKR_OK;
}
