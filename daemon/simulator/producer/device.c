/* A device as the host sees it (Dev), and what is told of it before it is opened. */
#include "producer.h"

#include <stdio.h>
#include <string.h>

static int32_t access_status(const struct camera *camera)
{
    if (camera->device.open)
        return DEVICE_ACCESS_STATUS_OPEN_READWRITE;
    if (camera_away(camera) || scene_locked_elsewhere(camera->index))
        return DEVICE_ACCESS_STATUS_NOACCESS;
    return DEVICE_ACCESS_STATUS_READWRITE;
}

int32_t device_info(struct camera *camera, int32_t command, int32_t *type, void *out, size_t *size)
{
    char name[128];

    switch (command) {
    case DEVICE_INFO_ID: return put_string(type, out, size, camera->id);
    case DEVICE_INFO_VENDOR: return put_string(type, out, size, VENDOR);
    case DEVICE_INFO_MODEL: return put_string(type, out, size, MODEL);
    case DEVICE_INFO_TLTYPE: return put_string(type, out, size, TL_TYPE);
    case DEVICE_INFO_DISPLAYNAME:
        snprintf(name, sizeof name, MODEL " %s", camera->scene.config.serial);
        return put_string(type, out, size, name);
    case DEVICE_INFO_ACCESS_STATUS:
        return put_value(type, out, size, INFO_DATATYPE_INT32, (uint64_t)access_status(camera));
    case DEVICE_INFO_USER_DEFINED_NAME:
    case DEVICE_INFO_SERIAL_NUMBER: return put_string(type, out, size, camera->scene.config.serial);
    case DEVICE_INFO_VERSION: return put_string(type, out, size, VERSION);
    case DEVICE_INFO_TIMESTAMP_FREQUENCY:
        return put_value(type, out, size, INFO_DATATYPE_UINT64, 1000000000u);
    default: return fail(GC_ERR_NOT_IMPLEMENTED, "DEVICE_INFO %d", command);
    }
}

void device_close(struct camera *camera)
{
    if (!camera->device.open || camera->quit) /* quit: another thread is closing it */
        return;
    if (camera->stream.open)
        stream_close(camera);
    camera_power_off(camera);
    camera->remote.open = false;
    camera->device.open = false;
}

GC_API DevClose(void *device)
{
    LOCKED;
    struct module *module = module_at(device, DEVICE);

    if (module == NULL)
        return GC_ERR_INVALID_HANDLE;
    device_close(module->camera);
    return GC_ERR_SUCCESS;
}

GC_API DevGetInfo(void *device, int32_t command, int32_t *type, void *out, size_t *size)
{
    LOCKED;
    struct module *module = module_at(device, DEVICE);

    if (module == NULL)
        return GC_ERR_INVALID_HANDLE;
    return device_info(module->camera, command, type, out, size);
}

GC_API DevGetPort(void *device, void **port)
{
    LOCKED;
    struct module *module = module_at(device, DEVICE);

    if (module == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (port == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no room for the handle");
    *port = &module->camera->remote;
    return GC_ERR_SUCCESS;
}

GC_API DevGetParentIF(void *device, void **interface)
{
    LOCKED;
    if (module_at(device, DEVICE) == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (interface == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no room for the handle");
    *interface = &interface_module;
    return GC_ERR_SUCCESS;
}

GC_API DevGetNumDataStreams(void *device, uint32_t *count)
{
    LOCKED;
    if (module_at(device, DEVICE) == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (count == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no room given");
    *count = 1;
    return GC_ERR_SUCCESS;
}

GC_API DevGetDataStreamID(void *device, uint32_t index, char *id, size_t *size)
{
    LOCKED;
    if (module_at(device, DEVICE) == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (index != 0)
        return fail(GC_ERR_INVALID_INDEX, "stream %u of 1", index);
    return put_string(NULL, id, size, STREAM_ID);
}

GC_API DevOpenDataStream(void *device, const char *id, void **stream)
{
    LOCKED;
    struct module *module = module_at(device, DEVICE);

    if (module == NULL)
        return GC_ERR_INVALID_HANDLE;
    if (id == NULL || strcmp(id, STREAM_ID) != 0)
        return fail(GC_ERR_INVALID_ID, "no stream %s", id ? id : "(null)");
    if (stream == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no room for the handle");
    if (module->camera->stream.open)
        return fail(GC_ERR_RESOURCE_IN_USE, "the stream is open");
    module->camera->stream.open = true;
    *stream = &module->camera->stream;
    return GC_ERR_SUCCESS;
}
