/* The one interface (IF): which devices there are, and opening them. */
#include "producer.h"

#include <string.h>

struct module interface_module = {.kind = INTERFACE};

static int listed[SCENE_MAX_CAMERAS], listed_count; /* by the last IFUpdateDeviceList */

int32_t interface_info(int32_t command, int32_t *type, void *out, size_t *size)
{
    switch (command) {
    case INTERFACE_INFO_ID: return put_string(type, out, size, INTERFACE_ID);
    case INTERFACE_INFO_DISPLAYNAME: return put_string(type, out, size, MODEL);
    case INTERFACE_INFO_TLTYPE: return put_string(type, out, size, TL_TYPE);
    default: return fail(GC_ERR_NOT_IMPLEMENTED, "INTERFACE_INFO %d", command);
    }
}

void interface_close(void)
{
    for (int i = 0; i < camera_count; i++)
        device_close(&cameras[i]);
    interface_module.open = false;
    listed_count = 0;
}

GC_API IFClose(void *interface)
{
    LOCKED;
    if (module_at(interface, INTERFACE) == NULL)
        return GC_ERR_INVALID_HANDLE;
    interface_close();
    return GC_ERR_SUCCESS;
}

GC_API IFGetInfo(void *interface, int32_t command, int32_t *type, void *out, size_t *size)
{
    LOCKED;
    if (module_at(interface, INTERFACE) == NULL)
        return GC_ERR_INVALID_HANDLE;
    return interface_info(command, type, out, size);
}

GC_API IFGetParentTL(void *interface, void **system)
{
    LOCKED;
    if (module_at(interface, INTERFACE) == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (system == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no room for the handle");
    *system = &system_module;
    return GC_ERR_SUCCESS;
}

/* No EFFAD_SCENE is no cameras; a file that cannot be used is an error, which consumers log. */
GC_API IFUpdateDeviceList(void *interface, int8_t *changed, uint64_t timeout)
{
    LOCKED;
    int before[SCENE_MAX_CAMERAS], before_count = listed_count;
    char why[512];
    bool loaded = true;

    (void)timeout; /* nothing here takes time */
    if (module_at(interface, INTERFACE) == NULL)
        return GC_ERR_INVALID_HANDLE;
    memcpy(before, listed, sizeof before);
    if (camera_count == 0)
        loaded = cameras_load(why, sizeof why);
    listed_count = 0;
    for (int i = 0; i < camera_count; i++)
        if (!camera_away(&cameras[i]))
            listed[listed_count++] = i;
    if (changed != NULL)
        *changed = listed_count != before_count ||
                   memcmp(before, listed, sizeof *listed * (size_t)listed_count) != 0;
    if (!loaded)
        return fail(GC_ERR_IO, "%s", why);
    if (camera_count == 0)
        fail(GC_ERR_NO_DATA, "%s", why);
    return GC_ERR_SUCCESS;
}

GC_API IFGetNumDevices(void *interface, uint32_t *count)
{
    LOCKED;
    if (module_at(interface, INTERFACE) == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (count == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no room given");
    *count = (uint32_t)listed_count;
    return GC_ERR_SUCCESS;
}

GC_API IFGetDeviceID(void *interface, uint32_t index, char *id, size_t *size)
{
    LOCKED;
    if (module_at(interface, INTERFACE) == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (index >= (uint32_t)listed_count)
        return fail(GC_ERR_INVALID_INDEX, "device %u of %d", index, listed_count);
    return put_string(NULL, id, size, cameras[listed[index]].id);
}

static struct camera *camera_named(const char *id)
{
    for (int i = 0; id != NULL && i < camera_count; i++)
        if (strcmp(cameras[i].id, id) == 0)
            return &cameras[i];
    fail(GC_ERR_INVALID_ID, "no device %s", id ? id : "(null)");
    return NULL;
}

GC_API IFGetDeviceInfo(void *interface, const char *id, int32_t command, int32_t *type, void *out,
                       size_t *size)
{
    LOCKED;
    struct camera *camera;

    if (module_at(interface, INTERFACE) == NULL)
        return GC_ERR_INVALID_HANDLE;
    camera = camera_named(id);
    return camera ? device_info(camera, command, type, out, size) : GC_ERR_INVALID_ID;
}

GC_API IFOpenDevice(void *interface, const char *id, int32_t flags, void **device)
{
    LOCKED;
    struct camera *camera;
    int32_t code;

    if (module_at(interface, INTERFACE) == NULL)
        return GC_ERR_INVALID_HANDLE;
    camera = camera_named(id);
    if (camera == NULL)
        return GC_ERR_INVALID_ID;
    if (device == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no room for the handle");
    if (flags < DEVICE_ACCESS_READONLY || flags > DEVICE_ACCESS_EXCLUSIVE)
        return fail(GC_ERR_INVALID_PARAMETER, "access flag %d", flags);
    if (camera->device.open)
        return fail(GC_ERR_ACCESS_DENIED, "device %s is open", id);
    code = camera_power_on(camera);
    if (code != GC_ERR_SUCCESS)
        return code;
    camera->device.open = true;
    camera->remote.open = true;
    *device = &camera->device;
    return GC_ERR_SUCCESS;
}
