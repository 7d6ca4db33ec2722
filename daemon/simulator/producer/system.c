/* The library and its one system (TL). */
#include "producer.h"

#include <stdio.h>
#include <string.h>

struct module system_module = {.kind = SYSTEM};
struct camera cameras[SCENE_MAX_CAMERAS];
int camera_count;

static bool initialized;

#ifndef EFFAD_SOURCE_SHA256
#define EFFAD_SOURCE_SHA256 "unknown"
#endif
__attribute__((visibility("default"))) const char effad_source_sha256[] = EFFAD_SOURCE_SHA256;

static void camera_init(int index, const struct camera_scene *scene)
{
    struct camera *c = &cameras[index];
    pthread_condattr_t clock;

    memset(c, 0, sizeof *c);
    c->scene = *scene;
    c->index = index;
    snprintf(c->id, sizeof c->id, "effad-%.63s", scene->config.serial);
    c->device = (struct module){.kind = DEVICE, .camera = c};
    c->remote = (struct module){.kind = REMOTE, .camera = c};
    c->stream = (struct module){.kind = STREAM, .camera = c};
    c->event = (struct module){.kind = EVENT, .camera = c};
    queue_clear(&c->input);
    queue_clear(&c->output);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&c->wake, &clock);
    pthread_cond_init(&c->arrived, &clock);
    pthread_cond_init(&c->idle, &clock);
    pthread_condattr_destroy(&clock);
}

bool cameras_load(char *why, size_t why_size)
{
    static struct camera_scene scenes[SCENE_MAX_CAMERAS];
    int count = scene_open(scenes, why, why_size);

    camera_count = count < 0 ? 0 : count;
    for (int i = 0; i < camera_count; i++)
        camera_init(i, &scenes[i]);
    return count >= 0;
}

static void system_close(void)
{
    interface_close();
    system_module.open = false;
    camera_count = 0;
    scene_close();
}

GC_API GCInitLib(void)
{
    LOCKED;
    if (initialized)
        return fail(GC_ERR_RESOURCE_IN_USE, "GCInitLib was called before");
    initialized = true;
    return GC_ERR_SUCCESS;
}

GC_API GCCloseLib(void)
{
    LOCKED;
    if (!initialized)
        return fail(GC_ERR_NOT_INITIALIZED, "GCInitLib was not called");
    if (system_module.open)
        system_close();
    initialized = false;
    return GC_ERR_SUCCESS;
}

static int32_t system_info(int32_t command, int32_t *type, void *out, size_t *size)
{
    switch (command) {
    case TL_INFO_ID: return put_string(type, out, size, VENDOR);
    case TL_INFO_VENDOR: return put_string(type, out, size, VENDOR);
    case TL_INFO_MODEL: return put_string(type, out, size, MODEL);
    case TL_INFO_VERSION: return put_string(type, out, size, VERSION);
    case TL_INFO_TLTYPE: return put_string(type, out, size, TL_TYPE);
    case TL_INFO_NAME:
    case TL_INFO_PATHNAME: return put_string(type, out, size, "effad.cti");
    case TL_INFO_DISPLAYNAME: return put_string(type, out, size, MODEL);
    case TL_INFO_CHAR_ENCODING:
        return put_value(type, out, size, INFO_DATATYPE_INT32, TL_CHAR_ENCODING_UTF8);
    case TL_INFO_GENTL_VER_MAJOR: return put_value(type, out, size, INFO_DATATYPE_UINT32, 1);
    case TL_INFO_GENTL_VER_MINOR: return put_value(type, out, size, INFO_DATATYPE_UINT32, 5);
    default: return fail(GC_ERR_NOT_IMPLEMENTED, "TL_INFO %d", command);
    }
}

GC_API GCGetInfo(int32_t command, int32_t *type, void *out, size_t *size)
{
    return system_info(command, type, out, size);
}

GC_API TLOpen(void **system)
{
    LOCKED;
    char why[512]; /* IFUpdateDeviceList tries again and says it */

    if (!initialized)
        return fail(GC_ERR_NOT_INITIALIZED, "GCInitLib was not called");
    if (system == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no room for the handle");
    if (system_module.open)
        return fail(GC_ERR_RESOURCE_IN_USE, "the system is open");
    system_module.open = true;
    cameras_load(why, sizeof why);
    *system = &system_module;
    return GC_ERR_SUCCESS;
}

GC_API TLClose(void *system)
{
    LOCKED;
    if (module_at(system, SYSTEM) == NULL)
        return GC_ERR_INVALID_HANDLE;
    system_close();
    return GC_ERR_SUCCESS;
}

GC_API TLGetInfo(void *system, int32_t command, int32_t *type, void *out, size_t *size)
{
    LOCKED;
    if (module_at(system, SYSTEM) == NULL)
        return GC_ERR_INVALID_HANDLE;
    return system_info(command, type, out, size);
}

GC_API TLUpdateInterfaceList(void *system, int8_t *changed, uint64_t timeout)
{
    LOCKED;
    (void)timeout;
    if (module_at(system, SYSTEM) == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (changed != NULL)
        *changed = false;
    return GC_ERR_SUCCESS;
}

GC_API TLGetNumInterfaces(void *system, uint32_t *count)
{
    LOCKED;
    if (module_at(system, SYSTEM) == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (count == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no room given");
    *count = 1;
    return GC_ERR_SUCCESS;
}

GC_API TLGetInterfaceID(void *system, uint32_t index, char *id, size_t *size)
{
    LOCKED;
    if (module_at(system, SYSTEM) == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (index != 0)
        return fail(GC_ERR_INVALID_INDEX, "interface %u of 1", index);
    return put_string(NULL, id, size, INTERFACE_ID);
}

static int32_t check_interface(void *system, const char *id)
{
    if (module_at(system, SYSTEM) == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (id == NULL || strcmp(id, INTERFACE_ID) != 0)
        return fail(GC_ERR_INVALID_ID, "no interface %s", id ? id : "(null)");
    return GC_ERR_SUCCESS;
}

GC_API TLGetInterfaceInfo(void *system, const char *id, int32_t command, int32_t *type, void *out,
                          size_t *size)
{
    LOCKED;
    int32_t code = check_interface(system, id);

    return code == GC_ERR_SUCCESS ? interface_info(command, type, out, size) : code;
}

GC_API TLOpenInterface(void *system, const char *id, void **interface)
{
    LOCKED;
    int32_t code = check_interface(system, id);

    if (code != GC_ERR_SUCCESS)
        return code;
    if (interface == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no room for the handle");
    if (interface_module.open)
        return fail(GC_ERR_RESOURCE_IN_USE, "the interface is open");
    interface_module.open = true;
    *interface = &interface_module;
    return GC_ERR_SUCCESS;
}
