from catalog.views import DealViewSet, ServiceTypeViewSet, ServiceViewSet
from productive.jsonapi.routers import Router

router = Router()
router.register("service_types", ServiceTypeViewSet)
router.register("deals", DealViewSet)
router.register("services", ServiceViewSet)

urlpatterns = router.urls
