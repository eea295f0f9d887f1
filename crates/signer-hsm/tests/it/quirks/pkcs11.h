/* As much of PKCS#11 2.40 as the module of oddities beside this needs, in the order and with the
   numbers of the standard. */
#ifndef PKCS11_H
#define PKCS11_H

typedef unsigned char CK_BYTE, CK_BBOOL, CK_UTF8CHAR;
typedef unsigned long CK_ULONG, CK_RV, CK_FLAGS, CK_SLOT_ID, CK_SESSION_HANDLE, CK_OBJECT_HANDLE,
    CK_OBJECT_CLASS, CK_USER_TYPE;
typedef struct { CK_ULONG type; void *pValue; CK_ULONG ulValueLen; } CK_ATTRIBUTE;
typedef struct { void *mutex[4]; CK_FLAGS flags; void *reserved; } CK_C_INITIALIZE_ARGS;
typedef struct {
    CK_UTF8CHAR label[32], manufacturerID[32], model[16], serialNumber[16];
    CK_FLAGS flags;
    CK_ULONG ulMaxSessionCount, ulSessionCount, ulMaxRwSessionCount, ulRwSessionCount, ulMaxPinLen,
        ulMinPinLen, ulTotalPublicMemory, ulFreePublicMemory, ulTotalPrivateMemory,
        ulFreePrivateMemory;
    CK_BYTE versions[4];
    CK_UTF8CHAR utcTime[16];
} CK_TOKEN_INFO;

typedef struct CK_FUNCTION_LIST {
    CK_BYTE version[2];
    CK_RV (*C_Initialize)(void *);
    CK_RV (*C_Finalize)(void *);
    void *C_GetInfo;
    CK_RV (*C_GetFunctionList)(struct CK_FUNCTION_LIST **);
    void *C_GetSlotList, *C_GetSlotInfo;
    CK_RV (*C_GetTokenInfo)(CK_SLOT_ID, CK_TOKEN_INFO *);
    void *C_GetMechanismList, *C_GetMechanismInfo;
    CK_RV (*C_InitToken)(CK_SLOT_ID, CK_UTF8CHAR *, CK_ULONG, CK_UTF8CHAR *);
    CK_RV (*C_InitPIN)(CK_SESSION_HANDLE, CK_UTF8CHAR *, CK_ULONG);
    void *C_SetPIN;
    CK_RV (*C_OpenSession)(CK_SLOT_ID, CK_FLAGS, void *, void *, CK_SESSION_HANDLE *);
    void *C_CloseSession, *C_CloseAllSessions, *C_GetSessionInfo, *C_GetOperationState,
        *C_SetOperationState;
    CK_RV (*C_Login)(CK_SESSION_HANDLE, CK_USER_TYPE, CK_UTF8CHAR *, CK_ULONG);
    void *C_Logout;
    CK_RV (*C_CreateObject)(CK_SESSION_HANDLE, CK_ATTRIBUTE *, CK_ULONG, CK_OBJECT_HANDLE *);
    void *C_CopyObject;
    CK_RV (*C_DestroyObject)(CK_SESSION_HANDLE, CK_OBJECT_HANDLE);
    void *C_GetObjectSize;
    CK_RV (*C_GetAttributeValue)(CK_SESSION_HANDLE, CK_OBJECT_HANDLE, CK_ATTRIBUTE *, CK_ULONG);
    void *C_SetAttributeValue;
    CK_RV (*C_FindObjectsInit)(CK_SESSION_HANDLE, CK_ATTRIBUTE *, CK_ULONG);
    CK_RV (*C_FindObjects)(CK_SESSION_HANDLE, CK_OBJECT_HANDLE *, CK_ULONG, CK_ULONG *);
    void *C_FindObjectsFinal, *encryption[8], *digests[5];
    CK_RV (*C_SignInit)(CK_SESSION_HANDLE, void *, CK_OBJECT_HANDLE);
    CK_RV (*C_Sign)(CK_SESSION_HANDLE, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG *);
    void *C_SignUpdate, *C_SignFinal, *recovery[2], *verification[6], *combined[4], *C_GenerateKey;
    CK_RV (*C_GenerateKeyPair)(CK_SESSION_HANDLE, void *, CK_ATTRIBUTE *, CK_ULONG, CK_ATTRIBUTE *,
                               CK_ULONG, CK_OBJECT_HANDLE *, CK_OBJECT_HANDLE *);
    void *rest[8];
} CK_FUNCTION_LIST;

enum {
    CKU_SO = 0, CKU_USER = 1, CKU_CONTEXT_SPECIFIC = 2,
    CKO_PUBLIC_KEY = 2, CKO_PRIVATE_KEY = 3,
    CKA_CLASS = 0, CKA_TOKEN = 1, CKA_PRIVATE = 2, CKA_LABEL = 3, CKA_KEY_TYPE = 0x100,
    CKA_ID = 0x102, CKA_SIGN = 0x108, CKA_VERIFY = 0x10a, CKA_DERIVE = 0x10c,
    CKA_EC_PARAMS = 0x180, CKA_EC_POINT = 0x181, CKA_ALWAYS_AUTHENTICATE = 0x202,
    CKF_OS_LOCKING_OK = 2, CKF_RW_SESSION = 2,
    CKF_WRITE_PROTECTED = 2, CKF_USER_PIN_INITIALIZED = 8,
    CKF_PROTECTED_AUTHENTICATION_PATH = 0x100, CKF_TOKEN_INITIALIZED = 0x400,
    CKR_OK = 0, CKR_GENERAL_ERROR = 5, CKR_FUNCTION_FAILED = 6, CKR_ARGUMENTS_BAD = 7,
    CKR_CANT_LOCK = 0xa, CKR_ATTRIBUTE_TYPE_INVALID = 0x12, CKR_ATTRIBUTE_VALUE_INVALID = 0x13,
    CKR_DEVICE_ERROR = 0x30, CKR_FUNCTION_NOT_SUPPORTED = 0x54, CKR_TEMPLATE_INCOMPLETE = 0xd0,
    CKR_TOKEN_WRITE_PROTECTED = 0xe2, CKR_USER_NOT_LOGGED_IN = 0x101, CKR_BUFFER_TOO_SMALL = 0x150,
};
#define CK_UNAVAILABLE_INFORMATION (~0UL)
#endif
