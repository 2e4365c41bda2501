from catalog.views import DealViewSet, ServiceTypeViewSet
from productive.jsonapi.routers import Router

router = Router()
router.register("service_types", ServiceTypeViewSet)
router.register("deals", DealViewSet)

urlpatterns = router.urls
