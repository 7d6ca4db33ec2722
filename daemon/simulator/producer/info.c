/* The last error, the mutex, and how values travel through *GetInfo functions. */
#include "producer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

pthread_mutex_t producer_mutex = PTHREAD_MUTEX_INITIALIZER;

static _Thread_local int32_t last_code = GC_ERR_SUCCESS;
static _Thread_local char last_text[512] = "no error";

pthread_mutex_t *lock_guard(void)
{
    pthread_mutex_lock(&producer_mutex);
    return &producer_mutex;
}

void unlock_guard(pthread_mutex_t **guard)
{
    pthread_mutex_unlock(*guard);
}

int32_t fail(int32_t code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(last_text, sizeof last_text, format, arguments);
    va_end(arguments);
    last_code = code;
    return code;
}

GC_API GCGetLastError(int32_t *code, char *text, size_t *size)
{
    if (code == NULL || size == NULL)
        return GC_ERR_INVALID_PARAMETER;
    *code = last_code;
    if (text != NULL && *size < strlen(last_text) + 1)
        return GC_ERR_BUFFER_TOO_SMALL;
    if (text != NULL)
        strcpy(text, last_text);
    *size = strlen(last_text) + 1;
    return GC_ERR_SUCCESS;
}

static int32_t put(int32_t *type, void *out, size_t *size, int32_t datatype, const void *value,
                   size_t n)
{
    if (size == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no size given");
    if (out != NULL && *size < n)
        return fail(GC_ERR_BUFFER_TOO_SMALL, "%zu bytes given, %zu needed", *size, n);
    if (out != NULL)
        memcpy(out, value, n);
    *size = n;
    if (type != NULL)
        *type = datatype;
    return GC_ERR_SUCCESS;
}

int32_t put_string(int32_t *type, void *out, size_t *size, const char *value)
{
    return put(type, out, size, INFO_DATATYPE_STRING, value, strlen(value) + 1);
}

int32_t put_value(int32_t *type, void *out, size_t *size, int32_t datatype, uint64_t value)
{
    size_t n = datatype == INFO_DATATYPE_BOOL8                                          ? 1
               : datatype == INFO_DATATYPE_INT32 || datatype == INFO_DATATYPE_UINT32 ? 4
                                                                                        : 8;

    return put(type, out, size, datatype, &value, n); /* little endian: the low bytes come first */
}

struct module *module_at(void *handle, enum module_kind kind)
{
    struct module *module = NULL;

    if (!system_module.open) {
        fail(GC_ERR_INVALID_HANDLE, "the system is not open");
        return NULL;
    }
    if (handle == &system_module)
        module = &system_module;
    if (handle == &interface_module)
        module = &interface_module;
    for (int i = 0; i < camera_count && module == NULL; i++) {
        struct camera *c = &cameras[i];
        if (handle == &c->device || handle == &c->remote || handle == &c->stream || handle == &c->event)
            module = handle;
    }
    if (module != NULL && module->open && (module->kind == kind || kind == MODULE_KINDS))
        return module;
    fail(GC_ERR_INVALID_HANDLE, "not a handle of an open module of this kind");
    return NULL;
}
